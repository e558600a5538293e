/** How a documented command is run. */
export interface Run {
  /** What runs in its place: the same flags, with values of which a test sees the end. */
  readonly shortened?: string;
  /** Whether it goes on until it is told to end. */
  readonly serves?: boolean;
  /** What is typed or piped into it. */
  readonly input?: string;
}

/** Why a documented command is not run by the test of the documents, and what of it is looked at. */
export interface Excuse {
  readonly why: string;
  /** The task whose `--help` must name the command's flags and, where it has them, subcommands. */
  readonly task?: string;
  /** For `docker`: what comes after the image's name must be settings of `serve`. */
  readonly image?: string;
}

const FILES = "--text stories.txt.gz --valid held_out.txt.gz --out";
const MINUTES = "it takes minutes";
const STAGES = "--stages 16:60,4:60,8:120,16:60,4:60,8:120,16:60,4:60,8:200 " +
  "--batch 32 --micro-batch 32 --rate 3e-4 --warm-up 30 --decay cosine --averaging 0.99 " +
  "--dropout 0.1 --beta 0.05 --omega 1 --save-every 2000 --evaluate-every 200 " +
  "--evaluate-windows 64";
const ORIGINAL = "--model test/fixtures/tinystories-bd3lm-original";

/** Commands that are run, in the order in which they stand in their document. */
export const RUN: Readonly<Record<string, Run>> = {
  "npx -y deno@2.9.6 task serve": { shortened: "deno task serve", serves: true },
  "deno task check ~/models/bd3lm-owt-block_size16": {},
  "deno task serve --model owt=$HOME/models/bd3lm-owt-block_size16 --weights int8": {
    serves: true,
  },
  'deno task generate "Once upon a time" --top-p 0.8': {
    shortened: 'deno task generate "Once upon a time" --top-p 0.8 --max-tokens 8',
  },
  "deno task chat --chat-template plain": {
    shortened: "deno task chat --chat-template plain --max-tokens 8",
    input: "Hi\n",
  },
  "deno task evaluate --text FILE": {
    shortened: "deno task evaluate --text stories.txt.gz --windows 1",
  },
  "deno task profile PROMPT [--trace-file FILE]": {
    shortened: "deno task profile Once --max-tokens 4 --trace-file trace.json",
  },
  "deno task check DIR": { shortened: "deno task check $TINY" },
  "deno task doctor": {},
  "deno task train --text stories.txt.gz --out runs/a": {
    shortened: "deno task train --text stories.txt.gz --out runs/readme --model $TINY " +
      "--updates 1 --batch 1 --micro-batch 1",
  },
  "deno serve --allow-net --allow-read --allow-env main.ts": {
    shortened: "deno serve --allow-net --allow-read --allow-env --port 0 main.ts",
    serves: true,
  },
  "deno run main.ts --help": {},
  "deno doc src/mod.ts": {},
  "BD_API_KEYS=$(openssl rand -hex 24) deno task serve --host 0.0.0.0": { serves: true },
  "deno task pull kuleshov-group/bd3lm-owt-block_size16": {
    shortened: "deno task pull kuleshov-group/bd3lm-owt-block_size16 " +
      "--redirect-host $STORAGE_HOST",
  },
  "deno task serve --model kuleshov-group/bd3lm-owt-block_size16": { serves: true },
  "OTEL_DENO=true OTEL_SERVICE_NAME=blockdiffusion OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 deno task serve":
    { serves: true },
  "deno task evaluate --model test/fixtures/tinystories-bd3lm-original --text held_out.txt.gz --windows 32 --block-size 1,2,4,8,16,32,64,128,all --json > docs/paper/block_sizes.json":
    {
      shortened:
        "deno task evaluate --model $TINY --text held_out.txt.gz --windows 1 --block-size 1,2,64,all " +
        "--json > docs/paper/block_sizes.json",
    },
  "deno task evaluate --model test/fixtures/tinystories-bd3lm-original --text held_out.txt.gz --windows 8 --search-clip --block-size 4,8,16 --json > docs/paper/clip.json":
    {
      shortened:
        "deno task evaluate --model $TINY --text held_out.txt.gz --windows 1 --search-clip " +
        "--block-size 4,8 --json > docs/paper/clip.json",
    },
  'deno task profile "Once upon a time"': {
    shortened: 'deno task profile "Once upon a time" --max-tokens 4',
  },
  [`deno task train ${FILES} runs/a --stages 256:850,8:150 --search-every 50`]: {
    shortened: `deno task train ${FILES} runs/a --stages 64:1,8:1 --search-every 1 ` +
      "--model $TINY --batch 2 --micro-batch 1 --evaluate-windows 1",
  },
  "deno task serve --model runs/a/step-00001000": {
    shortened: "deno task serve --model runs/a/step-00000002",
    serves: true,
  },
  "deno task train --help": {},
  "deno task evaluate --text tinystories-valid.txt.gz --block-size 4,8,16": {
    shortened: "deno task evaluate --text stories.txt.gz --block-size 4,8,16 --windows 1",
  },
  'deno task generate "" --top-p 0.9 --seed 1': {
    shortened: 'deno task generate "" --top-p 0.9 --seed 1 --max-tokens 8',
  },
  "deno task quantize DIR OUT": { shortened: "deno task quantize $TINY runs/quantized" },
  "deno task serve --weights int4": { serves: true },
  "deno task quantize MODEL OUT --weights int4": {
    shortened: "deno task quantize $TINY OUT --weights int4",
  },
  "deno task serve --model OUT": { serves: true },
};

/** Commands that are not run. */
export const EXCUSES: Readonly<Record<string, Excuse>> = {
  "npx -y deno@2.9.6 task test": { why: "this runs in it" },
  "deno task ok": { why: "this runs in it" },
  'curl -N http://127.0.0.1:8000/v1/blocks -H \'content-type: application/json\' -d \'{"prompt": "Once upon a time", "max_tokens": 11, "top_p": 0.8, "seed": 5}\'':
    { why: "not every machine has curl; readme_test.ts sends the same" },
  "docker build -t blockdiffusion .": { why: "it needs a container runtime" },
  "docker build -t blockdiffusion:software --build-arg SOFTWARE=1 .": {
    why: "it needs a container runtime",
  },
  "docker run --gpus all -p 8000:8000 blockdiffusion": {
    why: "it needs a container runtime",
    image: "blockdiffusion",
  },
  "docker run --gpus all -p 8000:8000 -v $PWD/my-models:/models:ro blockdiffusion --model /models/mine":
    { why: "it needs a container runtime", image: "blockdiffusion" },
  "docker run -v ~/.cache/huggingface/hub:/models:ro … --model bd3lm=/models/models--kuleshov-group--bd3lm-owt-block_size16/snapshots/COMMIT --tokenizer /models/models--openai-community--gpt2/snapshots/COMMIT":
    { why: "it needs a container runtime", image: "…" },
  "git clone … blockdiffusion": { why: "the address is the reader's to know" },
  "cd blockdiffusion": { why: "the test is there" },
  "deno task compile --output blockdiffusion": { why: "compile_test.ts does", task: "compile" },
  "deno task compile [--output FILE]": { why: "compile_test.ts does", task: "compile" },
  "./blockdiffusion --host 0.0.0.0 --model mine=/models/mine": {
    why: "it needs a runtime to compile on that not every machine can download",
    task: "serve",
  },
  "deno task paper scratch --text stories.txt.gz --valid held_out.txt.gz --out runs/small": {
    why: MINUTES,
    task: "paper",
  },
  "deno task paper quality --texts 16": { why: MINUTES, task: "paper" },
  "deno task paper draw": { why: "plots_test.ts does", task: "paper" },
  "deno task bench": { why: MINUTES, task: "bench" },
  "deno task bench engines": { why: MINUTES, task: "bench" },
  "deno task bench peers": { why: "it needs PyTorch", task: "bench" },
  "deno task bench nelbo": { why: MINUTES, task: "bench" },
  "deno task bench sizes": { why: MINUTES, task: "bench" },
  "deno task bench streams": { why: MINUTES, task: "bench" },
  "deno task bench formats": { why: MINUTES, task: "bench" },
  [`deno task train ${ORIGINAL} ${FILES} runs/gpu ${STAGES}`]: { why: MINUTES, task: "train" },
  [`deno task train ${ORIGINAL} --text tinystories-train.txt.gz --valid tinystories-valid.txt.gz --out DIR ${STAGES}`]:
    { why: MINUTES, task: "train" },
  "deno task bench training": { why: MINUTES, task: "bench" },
  "deno run --config PROJECT/deno.json …": { why: "the rest is the reader's" },
  "deno run -A example.ts": { why: "library_test.ts does" },
  "deno task pull ORG/NAME": { why: "the same with a name is run", task: "pull" },
  "deno task serve [FLAGS]": { why: "the same with flags is run", task: "serve" },
};
