/** The words for how a source is, each with an icon and a colour of the states of jobs. */
export const HEALTH = {
  login_expired: { label: "Needs a login", icon: "warn", tone: "failed" },
  failing: { label: "Failing", icon: "cross", tone: "failed" },
  warnings: { label: "Warnings", icon: "warn", tone: "warn" },
  healthy: { label: "Healthy", icon: "check", tone: "completed" },
  never: { label: "Never collected", icon: "dot", tone: "pending" },
  disabled: { label: "Disabled", icon: "ban", tone: "cancelled" },
};

export const healthOf = (source) => (source.enabled ? source.health : "disabled");
