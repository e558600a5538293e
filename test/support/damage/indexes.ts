import { join } from "@std/path";
import { writeJson } from "../checkpoints.ts";
import { type Damage, editHeader, editJson, replace } from "./damage.ts";

const INDEX = "model.safetensors.index.json";
const FIRST = "model-00001-of-00002.safetensors";
const SECOND = "model-00002-of-00002.safetensors";
const SCALAR = "sampling_eps_min";

interface Index {
  weight_map: Record<string, unknown>;
}

/** Puts one tensor into a file of this name. */
function inFile(
  name: string,
  file: unknown,
  code: Damage["code"] = "outside_directory",
): Damage {
  return edited(name, code, SCALAR, (index) => void (index.weight_map[SCALAR] = file));
}

function edited(
  name: string,
  code: Damage["code"],
  says: string,
  edit: (index: Index) => unknown,
): Damage {
  return {
    name,
    base: "sharded",
    file: INDEX,
    code,
    says,
    apply: (directory) => editJson(join(directory, INDEX), edit),
  };
}

function written(name: string, text: string): Damage {
  return {
    name,
    base: "sharded",
    file: INDEX,
    code: "invalid_json",
    apply: (directory) => Deno.writeTextFileSync(join(directory, INDEX), text),
  };
}

function shard(
  name: string,
  file: string,
  code: Damage["code"],
  apply: (directory: string) => void,
  says = "",
): Damage {
  return { name, base: "sharded", file, code, says, apply };
}

/** Spoiled indexes, and shards that disagree with a sound one. */
export const INDEX_DAMAGE: readonly Damage[] = [
  inFile("absolute path in the index", "/etc/hostname"),
  inFile("absolute path of a safetensors file", "/tmp/model.safetensors"),
  inFile("path with .. in the index", "../model.safetensors"),
  inFile("path that returns into the directory", `x/../${FIRST}`),
  inFile("path with .. at its end", "x/.."),
  inFile("path with backslashes", "..\\model.safetensors"),
  inFile("path of a Windows drive", "C:\\model.safetensors"),
  inFile("path with a null", `${FIRST}\0.safetensors`),
  inFile("empty path", ""),
  inFile("path of 100,000 characters", "x/".repeat(50_000) + FIRST),
  inFile("path that is a number", 1, "invalid_index"),
  inFile("path that is null", null, "invalid_index"),
  inFile("path that is a list", [FIRST], "invalid_index"),
  inFile("pickle in the index", "pytorch_model-00001-of-00002.bin", "pickle_file"),
  inFile("config in the index", "config.json", "invalid_index"),
  inFile("the directory itself in the index", ".", "invalid_index"),
  edited("index without weight_map", "invalid_index", "weight_map", (index) => (
    { metadata: {}, map: index.weight_map }
  )),
  edited("index with a list for weight_map", "invalid_index", "weight_map", (index) => (
    { weight_map: Object.keys(index.weight_map) }
  )),
  edited("index with an empty weight_map", "invalid_index", "weight_map", () => (
    { weight_map: {} }
  )),
  edited("index that is a list", "invalid_index", "weight_map", (index) => [index]),
  edited("index that is null", "invalid_index", "weight_map", () => [null]),
  edited("index of more files than any model has", "invalid_index", "1024", () => ({
    weight_map: Object.fromEntries(
      Array.from({ length: 200_000 }, (_, i) => [`t${i}`, `${i}.safetensors`]),
    ),
  })),
  written("empty index", ""),
  written("index cut short", '{"weight_map":{"a":"model'),
  written("index with a repeated tensor", `{"weight_map":{"a":"${FIRST}","a":"${SECOND}"}}`),
  written("index nested a million levels", '{"weight_map":' + "[".repeat(1_000_000)),
  shard("index above 16 MiB", INDEX, "file_too_large", (directory) => {
    Deno.truncateSync(join(directory, INDEX), 2 ** 24 + 1);
  }),
  shard("sparse index of a TiB", INDEX, "file_too_large", (directory) => {
    Deno.truncateSync(join(directory, INDEX), 2 ** 40);
  }),
  shard("index as a directory", INDEX, "not_a_file", (directory) => {
    replace(directory, INDEX, (path) => Deno.mkdirSync(path));
  }),
  shard("index as a link outside", INDEX, "outside_directory", (directory) => {
    Deno.renameSync(join(directory, INDEX), `${directory}.index`);
    Deno.symlinkSync(`${directory}.index`, join(directory, INDEX));
  }),
  shard("shard missing", SECOND, "missing_file", (directory) => {
    Deno.removeSync(join(directory, SECOND));
  }),
  shard("shard as a link outside", SECOND, "outside_directory", (directory) => {
    Deno.renameSync(join(directory, SECOND), `${directory}.shard`);
    Deno.symlinkSync(`${directory}.shard`, join(directory, SECOND));
  }),
  shard("shard inside a directory that is a link outside", "x/a.safetensors", "outside_directory", (
    directory,
  ) => {
    Deno.mkdirSync(`${directory}.x`);
    Deno.writeTextFileSync(`${directory}.x/a.safetensors`, "");
    Deno.symlinkSync(`${directory}.x`, join(directory, "x"));
    editJson(join(directory, INDEX), (index) => void (index.weight_map.a = "x/a.safetensors"));
  }),
  shard("shard cut short", SECOND, "invalid_offsets", (directory) => {
    const path = join(directory, SECOND);
    Deno.truncateSync(path, Deno.statSync(path).size - 1);
  }, "end"),
  shard("second shard in place of the first", FIRST, "unexpected_tensor", (directory) => {
    Deno.copyFileSync(join(directory, SECOND), join(directory, FIRST));
  }, INDEX),
  shard("one file under two names", `./${FIRST}`, "unexpected_tensor", (directory) => {
    editJson(join(directory, INDEX), (index) => (
      { weight_map: { ...index.weight_map, [SCALAR]: `./${FIRST}` } }
    ));
  }),
  shard("tensor absent from the shard", FIRST, "missing_tensor", (directory) => {
    editJson(join(directory, INDEX), (index) => void (index.weight_map.b = FIRST));
  }, '"b"'),
  shard("tensor absent from the index", FIRST, "unexpected_tensor", (directory) => {
    editJson(join(directory, INDEX), (index) => void delete index.weight_map[SCALAR]);
  }, SCALAR),
  shard("tensor in two shards", SECOND, "unexpected_tensor", (directory) => {
    editHeader(join(directory, SECOND), (header) => {
      header.sampling_eps_min = { dtype: "F32", shape: [0], data_offsets: [0, 0] };
    });
  }, SCALAR),
  shard("tensor that the model lacks in index and shard", FIRST, "unexpected_tensor", (
    directory,
  ) => {
    editHeader(join(directory, FIRST), (header) => {
      header.b = { dtype: "F32", shape: [0], data_offsets: [0, 0] };
    });
    editJson(join(directory, INDEX), (index) => void (index.weight_map.b = FIRST));
  }, '"b"'),
  shard("tensor missing from index and shard alike", INDEX, "missing_tensor", (directory) => {
    const file = "backbone.sigma_map.mlp.2.bias";
    editJson(join(directory, INDEX), (index) => void delete index.weight_map[file]);
    for (const name of [FIRST, SECOND]) {
      editHeader(join(directory, name), (header, data) => {
        const range = header[file]?.data_offsets as [number, number] | undefined;
        delete header[file];
        return range && data.subarray(0, range[0]);
      });
    }
  }, "sigma_map.mlp.2.bias"),
  shard("index without shards of tensors", FIRST, "missing_file", (directory) => {
    for (const name of [FIRST, SECOND]) Deno.removeSync(join(directory, name));
    writeJson(join(directory, INDEX), { weight_map: { a: FIRST } });
  }),
];
