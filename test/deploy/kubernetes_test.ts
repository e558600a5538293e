import { assert, assertEquals } from "@std/assert";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import { Deployment, type IDeployment } from "kubernetes-models/apps/v1/Deployment";
import { ConfigMap, type IConfigMap } from "kubernetes-models/v1/ConfigMap";
import { type IService, Service } from "kubernetes-models/v1/Service";
import { parseAllDocuments } from "yaml";
import { parseConfig, readEnvironment } from "../../src/commands/config.ts";
import { testApp } from "../server/support.ts";
import { ROOT, runDeno } from "../support/process.ts";
import { readExposition } from "../support/prometheus.ts";

/** Kinds in the file, with the module that has the model of each. */
const MODELS = {
  ConfigMap: { model: ConfigMap, module: "kubernetes-models/v1/ConfigMap" },
  Deployment: { model: Deployment, module: "kubernetes-models/apps/v1/Deployment" },
  Service: { model: Service, module: "kubernetes-models/v1/Service" },
  ScaledObject: {
    model: ScaledObject,
    module: "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject",
  },
} as const;

type Kind = keyof typeof MODELS;
type Manifest = { readonly apiVersion: string; readonly kind: Kind };

const documents = parseAllDocuments(await Deno.readTextFile(`${ROOT}deploy/kubernetes.yaml`));
const manifests = documents.map((each) => each.toJS() as Manifest);

function manifest<T>(kind: Kind): T {
  // Checked by the first test.
  return manifests.find((each) => each.kind === kind) as T;
}

Deno.test("every manifest fits the schema of its kind", () => {
  assertEquals(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]), []);
  assertEquals(manifests.map(({ kind }) => kind), [
    "ConfigMap",
    "Deployment",
    "Service",
    "ScaledObject",
  ]);
  for (const each of manifests) {
    const { model } = MODELS[each.kind];
    assertEquals(each.apiVersion, model.apiVersion);
    // What it gets is what it is to find fault with.
    new model(each as never).validate();
  }
});

// The schemas let unknown keys pass; the types made from them do not.
Deno.test("no manifest has a key that its kind does not know", async () => {
  const imports = Object.entries(MODELS).map(([kind, { module }]) =>
    `import type { I${kind} } from "${module}";`
  );
  const values = manifests.map((each, i) =>
    `export const value${i}: I${each.kind} = ${JSON.stringify(each)};`
  );
  const path = await Deno.makeTempFile({ dir: ROOT, prefix: "manifests-", suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, [...imports, ...values].join("\n"));
    const { status, stderr } = await runDeno(["check", "--frozen", path]);
    assertEquals(status, 0, stderr);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("the deployment starts a server with settings that it has, and lets it drain", () => {
  const { data = {} } = manifest<IConfigMap>("ConfigMap");
  assertEquals(readEnvironment((name) => data[name]), data);
  const config = parseConfig([], data, { readTextFile: () => "key" });
  assertEquals(config.host, "0.0.0.0");
  const { spec } = manifest<IDeployment>("Deployment");
  const { containers, volumes = [], terminationGracePeriodSeconds = 0 } = spec!.template.spec!;
  const [container, ...others] = containers;
  assertEquals(others, []);
  const { lifecycle, ports = [], volumeMounts = [] } = container!;
  const preStopSeconds = lifecycle?.preStop?.sleep?.seconds ?? NaN;
  assert(terminationGracePeriodSeconds > preStopSeconds + config.drainTimeoutMs / 1000);
  assertEquals(ports.map(({ containerPort }) => containerPort), [config.port]);
  const mounted = volumeMounts.find(({ name }) => name === "keys")?.mountPath;
  assertEquals(config.apiKeyFile, `${mounted}/keys`);
  const names = (list: readonly { name: string }[]) => list.map(({ name }) => name).sort();
  assertEquals(names(volumes), names(volumeMounts));
});

Deno.test("what belongs together in the manifests has the same names", async () => {
  const { metadata, spec } = manifest<IDeployment>("Deployment");
  const { labels } = spec!.template.metadata!;
  assertEquals(spec!.selector.matchLabels, labels);
  assertEquals(manifest<IService>("Service").spec?.selector, labels);
  const container = spec!.template.spec!.containers[0]!;
  const configMap = manifest<IConfigMap>("ConfigMap").metadata?.name;
  assertEquals(container.envFrom, [{ configMapRef: { name: configMap! } }]);
  const port = container.ports?.[0]?.name;
  const probes = [container.startupProbe, container.readinessProbe, container.livenessProbe];
  const targets = probes.map((probe) => probe?.httpGet?.port);
  assertEquals([...targets, manifest<IService>("Service").spec?.ports?.[0]?.targetPort], [
    ...Array(4).fill(port),
  ]);
  const scaled = manifest<ScaledObject>("ScaledObject").spec!;
  assertEquals(scaled.scaleTargetRef.name, metadata?.name);
  const [, metric = ""] = /^sum\((\w+)\)$/.exec(scaled.triggers[0]?.metadata.query ?? "") ?? [];
  const { types } = readExposition(await (await testApp().send("/metrics")).text());
  assertEquals(types.get(metric), "gauge");
});
