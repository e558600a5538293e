// Fragment: what the network suggests for a head (propose.wgsl), from which tokens are chosen.
struct Proposal {
  token: u32,
  confidence: f32,
  entropy: f32,
  // 0 where a logit is NaN or infinite: then nothing else holds.
  is_finite: u32,
}
