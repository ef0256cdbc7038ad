// CLIP models of real shapes with weights by chance, in Hugging Face's form, for tests of memory.

import { mkdir, open, writeFile } from "node:fs/promises";
import path from "node:path";

const SHAPES = {
  "tinyclip-8m": { patch: 16, image: { width: 256, layers: 10, heads: 4 }, text: { width: 256, layers: 3, heads: 4 } },
  "vit-b32": { patch: 32, image: { width: 768, layers: 12, heads: 12 }, text: { width: 512, layers: 12, heads: 8 } },
};
const [DIM, SIZE, CONTEXT, VOCABULARY] = [512, 224, 77, 49_408];

/** The tensors of a model with their shapes, by name. */
function* tensors({ patch, image, text }) {
  yield ["text_model.embeddings.token_embedding.weight", [VOCABULARY, text.width]];
  yield ["text_model.embeddings.position_embedding.weight", [CONTEXT, text.width]];
  yield ["vision_model.embeddings.class_embedding", [image.width]];
  yield ["vision_model.embeddings.patch_embedding.weight", [image.width, 3, patch, patch]];
  yield ["vision_model.embeddings.position_embedding.weight", [(SIZE / patch) ** 2 + 1, image.width]];
  yield ["text_projection.weight", [DIM, text.width]];
  yield ["visual_projection.weight", [DIM, image.width]];
  for (const [tower, { width, layers }, norms] of [
    ["text_model", text, ["final_layer_norm"]],
    ["vision_model", image, ["pre_layrnorm", "post_layernorm"]],
  ]) {
    const layer = (at) => `${tower}.encoder.layers.${at}`;
    const places = Array.from({ length: layers }, (_, at) => layer(at));
    for (const norm of [...norms.map((name) => `${tower}.${name}`), ...places.flatMap((at) => [`${at}.layer_norm1`, `${at}.layer_norm2`])]) {
      yield [`${norm}.weight`, [width]];
      yield [`${norm}.bias`, [width]];
    }
    for (const at of places) {
      for (const [name, outputs, inputs] of [
        ...["q_proj", "k_proj", "v_proj", "out_proj"].map((part) => [`self_attn.${part}`, width, width]),
        ["mlp.fc1", 4 * width, width],
        ["mlp.fc2", width, 4 * width],
      ]) {
        yield [`${at}.${name}.weight`, [outputs, inputs]];
        yield [`${at}.${name}.bias`, [outputs]];
      }
    }
  }
}

/** f16 from about −0.06 to 0.06, 64 Ki of them: sign and fraction by chance, one exponent. */
function noise() {
  let state = 7;
  return Uint16Array.from({ length: 65_536 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 16) & 0x83ff) | 0x2800;
  });
}

/** Writes config.json and model.safetensors of a shape into a folder. */
export async function writeClip(name, folder) {
  const shape = SHAPES[name];
  const transformer = ({ width, layers, heads }) => ({
    hidden_size: width,
    intermediate_size: 4 * width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
  });
  await mkdir(folder, { recursive: true });
  const config = {
    model_type: "clip",
    projection_dim: DIM,
    text_config: transformer(shape.text),
    vision_config: { ...transformer(shape.image), image_size: SIZE, patch_size: shape.patch },
  };
  await writeFile(path.join(folder, "config.json"), JSON.stringify(config));
  const header = {};
  let end = 0;
  for (const [tensor, dimensions] of tensors(shape)) {
    const start = end;
    end += 2 * dimensions.reduce((product, side) => product * side, 1);
    header[tensor] = { dtype: "F16", shape: dimensions, data_offsets: [start, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const block = Buffer.from(noise().buffer);
  const file = await open(path.join(folder, "model.safetensors"), "w");
  try {
    await file.write(Buffer.concat([length, json]));
    // Blocks of an odd number of values, so that rows differ.
    for (let left = end; left > 0; ) {
      const piece = block.subarray(0, Math.min(left, 2 * 65_521));
      await file.write(piece);
      left -= piece.length;
    }
  } finally {
    await file.close();
  }
}
