// Fragment: A(i, k) = a[k, i]. Of 8 rows i and 4 steps k, lane l loads step l % 4 of the upper or
// lower 4 rows.

fn load_a(row: u32, step: u32, lane: u32) -> vec4<f32> {
  let k = params.a_first + step * 4u + lane % 4u;
  return a[k * params.a_stride + row / 4u + lane / 4u];
}

fn upper_lanes(part: f32) -> vec4<f32> {
  return vec4(
    subgroupBroadcast(part, 0u),
    subgroupBroadcast(part, 1u),
    subgroupBroadcast(part, 2u),
    subgroupBroadcast(part, 3u),
  );
}

fn lower_lanes(part: f32) -> vec4<f32> {
  return vec4(
    subgroupBroadcast(part, 4u),
    subgroupBroadcast(part, 5u),
    subgroupBroadcast(part, 6u),
    subgroupBroadcast(part, 7u),
  );
}

fn a0(share: vec4<f32>) -> vec4<f32> {
  return upper_lanes(share.x);
}

fn a1(share: vec4<f32>) -> vec4<f32> {
  return upper_lanes(share.y);
}

fn a2(share: vec4<f32>) -> vec4<f32> {
  return upper_lanes(share.z);
}

fn a3(share: vec4<f32>) -> vec4<f32> {
  return upper_lanes(share.w);
}

fn a4(share: vec4<f32>) -> vec4<f32> {
  return lower_lanes(share.x);
}

fn a5(share: vec4<f32>) -> vec4<f32> {
  return lower_lanes(share.y);
}

fn a6(share: vec4<f32>) -> vec4<f32> {
  return lower_lanes(share.z);
}

fn a7(share: vec4<f32>) -> vec4<f32> {
  return lower_lanes(share.w);
}
