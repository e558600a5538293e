/** A piece of a parsed template, as `@huggingface/jinja` makes it. */
interface Node {
  readonly type: string;
  readonly [part: string]: unknown;
}

/** How a template reads a name: for whether it is true, for whether it is there, or for what it is. */
type Use = "truth" | "presence" | "value";

/** Parts of nodes that have names which are not those of variables. */
const NO_VARIABLES: Readonly<Record<string, readonly string[]>> = {
  BinaryExpression: ["operator"],
  UnaryExpression: ["operator"],
  TestExpression: ["test"],
  KeywordArgumentExpression: ["key"],
  Macro: ["name"],
};

const PRESENCE = ["defined", "undefined", "none"];
const TRUTH = ["true", "false", "boolean"];

/**
 * The variables that a template reads for nothing but whether they are true, and that it does not
 * make itself, in the order of their names: what whoever renders it may switch on and off.
 *
 * @param known Variables that the renderer has already.
 */
export function templateSwitches(
  program: object,
  { known }: { readonly known: ReadonlySet<string> },
): string[] {
  const reading = new Reading();
  reading.visit(program as Node, "value"); // The parser makes nodes and nothing else.
  return reading.switches().filter((name) => !known.has(name)).sort();
}

/** What is known of the names in a template. */
class Reading {
  readonly #uses = new Map<string, Set<Use>>();
  /** Names that the template itself gives a value. */
  readonly #bound = new Set(["loop", "caller"]);

  switches(): string[] {
    return [...this.#uses].flatMap(([name, uses]) => {
      // What a template sets it may set as a default only: then it asks whether it is there.
      const isFree = !this.#bound.has(name) || uses.has("presence");
      return isFree && uses.has("truth") && !uses.has("value") ? [name] : [];
    });
  }

  visit(node: Node, use: Use): void {
    switch (node.type) {
      case "Identifier":
        return this.#read(String(node.value), use);
      case "If":
        this.#visitPart(node.test, "truth");
        return this.#visitParts(node, ["body", "alternate"]);
      case "Ternary":
        this.#visitPart(node.condition, "truth");
        this.#visitPart(node.trueExpr, use);
        return this.#visitPart(node.falseExpr, use);
      case "SelectExpression":
        this.#visitPart(node.lhs, use);
        return this.#visitPart(node.test, "truth");
      case "TestExpression":
        return this.#visitPart(node.operand, useOfTest(nameOf(node.test)));
      case "BinaryExpression":
      case "UnaryExpression":
        return this.#visitParts(node, ["left", "right", "argument"], useOfOperator(node));
      case "FilterExpression":
        this.#visitPart(node.operand, isSwitchDefault(node.filter) ? "truth" : "value");
        return this.#visitParts(node, ["filter"]);
      case "MemberExpression":
        return this.#visitParts(node, node.computed === true ? ["object", "property"] : ["object"]);
      case "Set":
        return this.#visitSet(node);
      case "For":
        this.#bind(node.loopvar);
        return this.#visitParts(node, ["iterable", "body", "defaultBlock"]);
      default:
        return this.#visitOther(node);
    }
  }

  /** A default for a variable is `x if x is defined else …` of itself: no use of its value. */
  #visitSet({ assignee, value, body }: Node): void {
    this.#bind(assignee);
    const own = nameOf(assignee);
    const before = own === null ? null : new Set(this.#uses.get(own));
    this.#visitPart(value, "value");
    if (own !== null && before?.has("value") === false) this.#uses.get(own)?.delete("value");
    this.#visitPart(body, "value");
  }

  #visitOther(node: Node): void {
    if (node.type === "Macro" || node.type === "CallStatement") {
      this.#bind(node.args ?? node.callerArgs);
    }
    const skipped = NO_VARIABLES[node.type] ?? [];
    this.#visitParts(node, Object.keys(node).filter((part) => !skipped.includes(part)));
  }

  #visitParts(node: Node, parts: readonly string[], use: Use = "value"): void {
    for (const part of parts) this.#visitPart(node[part], use);
  }

  #visitPart(part: unknown, use: Use): void {
    if (Array.isArray(part)) return part.forEach((each) => this.#visitPart(each, use));
    if (part instanceof Map) return [...part].flat().forEach((each) => this.#visitPart(each, use));
    if (isNode(part)) this.visit(part, use);
  }

  #read(name: string, use: Use): void {
    this.#uses.set(name, (this.#uses.get(name) ?? new Set()).add(use));
  }

  /** A name, or several: in a tuple, or as parameters. */
  #bind(target: unknown): void {
    if (Array.isArray(target)) return target.forEach((each) => this.#bind(each));
    if (!isNode(target)) return;
    const name = nameOf(target) ?? nameOf(target.key);
    if (name !== null) this.#bound.add(name);
    else this.#bind(target.value);
  }
}

function useOfTest(test: string | null): Use {
  if (test !== null && PRESENCE.includes(test)) return "presence";
  return test !== null && TRUTH.includes(test) ? "truth" : "value";
}

function useOfOperator({ operator, left, right }: Node): Use {
  const { value } = operator as { readonly value: string }; // A token.
  if (["and", "or", "not"].includes(value)) return "truth";
  const isCompared = value === "==" || value === "!=";
  return isCompared && [left, right].some(isBoolean) ? "truth" : "value";
}

/** Whether a filter gives a switch the value that it has where nobody sets it: `default(true)`. */
function isSwitchDefault(filter: unknown): boolean {
  if (!isNode(filter) || nameOf(filter.callee) !== "default") return false;
  return Array.isArray(filter.args) && filter.args.every(isBoolean);
}

function isBoolean(node: unknown): boolean {
  return /^(true|false)$/i.test(nameOf(node) ?? "");
}

function nameOf(node: unknown): string | null {
  return isNode(node) && node.type === "Identifier" ? String(node.value) : null;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}
