import { join } from "@std/path";
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { floatsOf, integersOf, readFixture, tensorOf } from "./fixtures.ts";

/** A safetensors file with one entry per dtype in use, after two tensors that shift the offsets. */
function fixtureBytes(): Uint8Array<ArrayBuffer> {
  const header = JSON.stringify({
    __metadata__: { format: "pt" },
    flags: { dtype: "U8", shape: [2], data_offsets: [0, 2] },
    half: { dtype: "F16", shape: [4], data_offsets: [2, 10] },
    brain: { dtype: "BF16", shape: [2], data_offsets: [10, 14] },
    float: { dtype: "F32", shape: [1], data_offsets: [14, 18] },
    id: { dtype: "I32", shape: [1], data_offsets: [18, 22] },
  });
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + 22);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  const data = 8 + text.length;
  bytes.set([1, 0], data);
  // 1, -2, the smallest subnormal, the largest finite half.
  [0x3c00, 0xc000, 0x0001, 0x7bff].forEach((half, i) =>
    view.setUint16(data + 2 + 2 * i, half, true)
  );
  // 1 and -0.5.
  [0x3f80, 0xbf00].forEach((brain, i) => view.setUint16(data + 10 + 2 * i, brain, true));
  view.setFloat32(data + 14, 0.1, true);
  view.setInt32(data + 18, -7, true);
  return bytes;
}

Deno.test("readFixture() reads every dtype at any offset", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const path = join(directory, "tensors.safetensors");
    Deno.writeFileSync(path, fixtureBytes());
    const fixture = readFixture(path);
    assertEquals([...fixture.keys()], ["flags", "half", "brain", "float", "id"]);
    assertEquals(integersOf(fixture, "flags"), [1, 0]);
    assertEquals([...floatsOf(fixture, "half")], [1, -2, 2 ** -24, 65504]);
    assertEquals([...floatsOf(fixture, "brain")], [1, -0.5]);
    assertAlmostEquals(floatsOf(fixture, "float")[0]!, 0.1, 1e-8);
    assertEquals(integersOf(fixture, "id"), [-7]);
    assertEquals(tensorOf(fixture, "half").shape, [4]);
    assertThrows(() => tensorOf(fixture, "bias"), RangeError, '"bias"');
    assertThrows(() => floatsOf(fixture, "id"), TypeError, "I32");
    assertThrows(() => integersOf(fixture, "half"), TypeError, "F16");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
