"""The web application: the HTTP interface, the live socket and the pages."""
