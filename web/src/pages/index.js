/** The pages: a template and a component each. */
import loginsHtml from "../logins/logins.html";
import { logins } from "../logins/logins.js";
import dashboardHtml from "./dashboard.html";
import { dashboard } from "./dashboard.js";
import deadHtml from "./dead.html";
import { dead } from "./dead.js";
import documentsHtml from "./documents.html";
import { documents } from "./documents.js";
import jobHtml from "./job.html";
import { job } from "./job.js";
import missingHtml from "./missing.html";
import queueHtml from "./queue.html";
import { queue } from "./queue.js";
import referenceHtml from "./reference.html";
import { reference } from "./reference.js";
import schedulesHtml from "./schedules.html";
import { schedules } from "./schedules.js";
import sourcesHtml from "./sources.html";
import { sources } from "./sources.js";
import systemHtml from "./system.html";
import { system } from "./system.js";
import workersHtml from "./workers.html";
import { workers } from "./workers.js";
import workflowHtml from "./workflow.html";
import { workflow } from "./workflow.js";
import workflowsHtml from "./workflows.html";
import { workflows } from "./workflows.js";

export const PAGES = { dashboard, dead, documents, job, logins, queue, reference, schedules, sources, system, workers, workflow, workflows };

export const templates = {
  dashboard: dashboardHtml,
  dead: deadHtml,
  documents: documentsHtml,
  job: jobHtml,
  missing: missingHtml,
  queue: queueHtml,
  reference: referenceHtml,
  schedules: schedulesHtml,
  sources: sourcesHtml + loginsHtml,
  system: systemHtml,
  workers: workersHtml,
  workflow: workflowHtml,
  workflows: workflowsHtml,
};
