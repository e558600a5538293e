// Fragment: columns of 4 logits of a row and their weights in its softmax at temperature 1, the mask
// impossible; for kernels with `logits`.

override VOCABULARY: u32;
override MASK: u32;
// Stands for the mask and for what pads the vocabulary.
const LOWEST = -3.0e38;
// exp of this is 0.
const WEIGHTLESS = -200.0;

fn load4(start: u32, column: u32) -> vec4<f32> {
  let ids = column * 4u + vec4(0u, 1u, 2u, 3u);
  let possible = (ids < vec4(VOCABULARY)) & (ids != vec4(MASK));
  return select(vec4(LOWEST), logits[start + column], possible);
}

fn weights_of(x: vec4<f32>, highest: f32) -> vec4<f32> {
  return exp(max(x - highest, vec4(WEIGHTLESS)));
}

fn total_of(x: vec4<f32>) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}
