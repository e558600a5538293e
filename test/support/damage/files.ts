import { basename, join } from "@std/path";
import { writeSafetensors } from "../checkpoints.ts";
import { type Damage, editHeader, replace } from "./damage.ts";

const FILE = "model.safetensors";

/** Makes a FIFO: opening one for reading would wait for ever. */
function makeFifo(path: string): void {
  const { success } = new Deno.Command("mkfifo", { args: [path] }).outputSync();
  if (!success) throw new Error(`Cannot make ${path}: mkfifo failed, expected it to succeed`);
}

/** Moves a file out of the directory, to its side, and leaves a link. */
function linkOutside(directory: string, name: string): void {
  const outside = `${directory}.${name}.outside`;
  Deno.renameSync(join(directory, name), outside);
  Deno.symlinkSync(outside, join(directory, name));
}

/** Weights of a kind that is never read, in place of the real ones. */
function pickle(name: string): Damage {
  return {
    name: `only ${name}`,
    file: name,
    code: "pickle_file",
    says: "pickled",
    apply: (directory) => Deno.renameSync(join(directory, FILE), join(directory, name)),
  };
}

/** One damage of every kind for a file that has to be there. */
function everyKind(file: string): Damage[] {
  return [
    {
      name: `${file} missing`,
      file,
      code: "missing_file",
      apply: (directory) => Deno.removeSync(join(directory, file)),
    },
    {
      name: `${file} as a pipe`,
      file,
      code: "not_a_file",
      apply: (directory) => replace(directory, file, makeFifo),
    },
    {
      name: `${file} as a directory`,
      file,
      code: "not_a_file",
      apply: (directory) => replace(directory, file, (path) => Deno.mkdirSync(path)),
    },
    {
      name: `${file} as a link outside`,
      file,
      code: "outside_directory",
      apply: (directory) => linkOutside(directory, file),
    },
    {
      name: `${file} as a relative link outside`,
      file,
      code: "outside_directory",
      apply: (directory) => {
        Deno.renameSync(join(directory, file), `${directory}.relative`);
        Deno.symlinkSync(`../${basename(directory)}.relative`, join(directory, file));
      },
    },
    {
      name: `${file} as an endless device`,
      file,
      code: "outside_directory",
      apply: (directory) => replace(directory, file, (path) => Deno.symlinkSync("/dev/zero", path)),
    },
    {
      name: `${file} as a link to itself`,
      file,
      code: "unreadable_file",
      apply: (directory) => replace(directory, file, (path) => Deno.symlinkSync(file, path)),
    },
    {
      name: `${file} as a link to nowhere`,
      file,
      code: "missing_file",
      apply: (directory) => replace(directory, file, (path) => Deno.symlinkSync("nowhere", path)),
    },
  ];
}

/** A sibling whose path begins with the directory's own. */
const SIBLING: Damage = {
  name: "weights as a link to a directory of a similar name",
  file: FILE,
  code: "outside_directory",
  apply: (directory) => {
    Deno.mkdirSync(`${directory}-2`);
    Deno.renameSync(join(directory, FILE), join(`${directory}-2`, FILE));
    Deno.symlinkSync(join(`${directory}-2`, FILE), join(directory, FILE));
  },
};

/** Spoils one tensor of an otherwise sound file. */
function tensor(
  name: string,
  code: Damage["code"],
  says: string,
  edit: Parameters<typeof editHeader>[1],
): Damage {
  return { name, file: FILE, code, says, apply: (dir) => editHeader(join(dir, FILE), edit) };
}

const NORM = "backbone.blocks.0.norm1.weight";
const QKV = "backbone.blocks.1.attn_qkv.weight";
const LAST = "backbone.sigma_map.mlp.2.bias";

/** Missing, foreign and unreadable files, and tensors that are not the model's. */
export const FILE_DAMAGE: readonly Damage[] = [
  { name: "empty directory", base: "empty", file: "config.json", code: "missing_file", apply() {} },
  {
    name: "directory of nothing but a pickle",
    base: "empty",
    file: "pytorch_model.bin",
    code: "pickle_file",
    apply: (directory) => Deno.writeTextFileSync(join(directory, "pytorch_model.bin"), "\x80\x02."),
  },
  ...["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt", "model.pkl"].map(pickle),
  ...["config.json", FILE, "tokenizer.json"].flatMap(everyKind),
  ...everyKind("tokenizer_config.json").filter(({ name }) => !/missing$/.test(name)),
  SIBLING,
  tensor("tensor of a further layer", "unexpected_tensor", "blocks.2", (header) => {
    header["backbone.blocks.2.norm1.weight"] = { dtype: "F32", shape: [0], data_offsets: [0, 0] };
  }),
  tensor("tensor with a foreign prefix", "unexpected_tensor", "model.norm", (header) => {
    header["model.norm.weight"] = header[NORM]!;
    delete header[NORM];
  }),
  tensor("tensor of integers", "wrong_dtype", NORM, (header) => (
    void Object.assign(header[NORM]!, { dtype: "I32" })
  )),
  tensor("tensor of doubles", "wrong_dtype", NORM, (header) => (
    void Object.assign(header[NORM]!, { dtype: "F64", shape: [8] })
  )),
  tensor("tensor with one axis more", "wrong_shape", NORM, (header) => (
    void Object.assign(header[NORM]!, { shape: [16, 1] })
  )),
  tensor("matrix with its axes exchanged", "wrong_shape", QKV, (header) => (
    void Object.assign(header[QKV]!, { shape: [16, 48] })
  )),
  tensor("rotary frequencies of another head size", "wrong_shape", "inv_freq", (header) => (
    void Object.assign(header["backbone.rotary_emb.inv_freq"]!, { shape: [2, 2] })
  )),
  tensor("scalar buffer with an axis", "wrong_shape", "sampling_eps_min", (header) => (
    void Object.assign(header.sampling_eps_min!, { shape: [1] })
  )),
  tensor("last tensor missing", "missing_tensor", LAST, (header, data) => {
    const [begin] = header[LAST]!.data_offsets as [number, number];
    delete header[LAST];
    return data.subarray(0, begin);
  }),
  {
    name: "file without tensors",
    file: FILE,
    code: "missing_tensor",
    apply: (directory) => writeSafetensors(join(directory, FILE), {}),
  },
];
