/** Where the steps of a workflow stand: in layers, each after all that it needs, phase after phase. */

const PHASES = ["pre", "core", "post"];
const ROUNDS = 4;

/** Layers of steps: `[{phase, layers: [[step]]}]`; a step is `{name, phase, needs}`. */
export function layered(steps) {
  return PHASES.map((phase) => ({ phase, layers: layersOf(steps.filter((each) => each.phase === phase)) })).filter(
    ({ layers }) => layers.length,
  );
}

function layersOf(steps) {
  const known = new Map(steps.map((each) => [each.name, each]));
  const depths = new Map();
  const depth = (name, seen = new Set()) => {
    if (depths.has(name)) return depths.get(name);
    if (seen.has(name)) return 0; // a circle, in a text that is not finished
    seen.add(name);
    const needs = (known.get(name).needs ?? []).filter((each) => known.has(each));
    const found = needs.length ? 1 + Math.max(...needs.map((each) => depth(each, seen))) : 0;
    depths.set(name, found);
    return found;
  };
  const layers = [];
  for (const step of steps) (layers[depth(step.name)] ??= []).push(step);
  return untangled(layers.map((each) => each ?? []));
}

/** Order each layer by the mean place of what its steps are connected with, back and forth. */
function untangled(layers) {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let at = 1; at < layers.length; at += 1) {
      sortBy(layers[at], places(layers.slice(0, at).flat()), (step) => step.needs ?? []);
    }
    for (let at = layers.length - 2; at >= 0; at -= 1) {
      const later = layers.slice(at + 1).flat();
      sortBy(layers[at], places(later), (step) => later.filter((each) => each.needs?.includes(step.name)).map((each) => each.name));
    }
  }
  return layers;
}

const places = (steps) => new Map(steps.map((each, at) => [each.name, at]));

function sortBy(layer, known, connected) {
  const weight = new Map(
    layer.map((step, at) => {
      const found = connected(step).map((name) => known.get(name)).filter((each) => each !== undefined);
      return [step, found.length ? found.reduce((sum, each) => sum + each, 0) / found.length : at];
    }),
  );
  layer.sort((one, other) => weight.get(one) - weight.get(other));
}
