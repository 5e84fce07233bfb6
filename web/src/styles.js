/** The style sheets, in the order in which they hold. */
import "bulma/css/versions/bulma-no-helpers.css";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/frame.css";
import "./styles/parts.css";
import "./styles/tables.css";
import "./styles/log.css";
import "./styles/pages.css";
import "./styles/sources.css";
import "./styles/logins.css";
import "./styles/flow.css";
import "./styles/media.css";
