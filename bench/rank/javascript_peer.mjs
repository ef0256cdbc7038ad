// Plain JavaScript's side of `cargo xtask bench rank`, as m2cgen writes trees: nested conditions, one function a tree.
// node javascript_peer.mjs TREES.json ROWS FEATURES, the trees as LightGBM's `dump_model` gives them.

import { readFile } from "node:fs/promises";
import { answer, readRows } from "./peer.mjs";

const [model, file, features] = process.argv.slice(2);
const width = Number(features);

/** The condition under which a row goes left. */
function test({ split_feature: feature, decision_type, threshold, missing_type, default_left }) {
  const x = `r[o+${feature}]`;
  if (decision_type === "==") {
    const any = threshold.split("||").map((category) => `${x}===${category}`);
    return `(${any.join("||")})`;
  }
  if (missing_type === "NaN") return default_left ? `!(${x}>${threshold})` : `${x}<=${threshold}`;
  // LightGBM takes NaN for 0 where training had no missing values.
  return 0 <= threshold ? `!(${x}>${threshold})` : `${x}<=${threshold}`;
}

function code(node) {
  if ("leaf_value" in node) return `return ${node.leaf_value};`;
  return `if(${test(node)}){${code(node.left_child)}}else{${code(node.right_child)}}`;
}

const dump = JSON.parse(await readFile(model, "utf8"));
const trees = dump.tree_info.map((tree) => new Function("r", "o", code(tree.tree_structure)));
const rows = await readRows(file);
await answer((n) => {
  const scores = new Float64Array(n);
  for (let row = 0; row < n; row++) {
    let sum = 0;
    for (const tree of trees) sum += tree(rows, row * width);
    scores[row] = sum;
  }
  return scores;
});
