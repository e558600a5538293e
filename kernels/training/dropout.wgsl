// Fragment: what dropout multiplies 4 neighbouring values with: 0, or 1 / (1 - rate). The same
// whenever it is asked for the same place, step and site: what the way forward drops the way back
// drops too. Kernels give `params` the fields threshold, keep_scale, seed_low, seed_high, step and
// site.
// Source: Srivastava et al. 2014, "Dropout".

// `place` counts vectors of 4; a value is dropped where its 16 random bits lie below the threshold.
fn kept(place: u32) -> vec4<f32> {
  if (params.threshold == 0u) {
    return vec4(1.0);
  }
  // A seed has 53 bits: those of the site lie above.
  let key = vec2(params.seed_low, params.seed_high ^ (params.site << 21u));
  let words = threefry(vec2(place, params.step), key);
  let bits = vec4(words.x & 0xffffu, words.x >> 16u, words.y & 0xffffu, words.y >> 16u);
  return select(vec4(0.0), vec4(params.keep_scale), bits >= vec4(params.threshold));
}
