// Fragment: A(i, k) = a[i, k].

fn load_a(row: u32, step: u32, lane: u32) -> vec4<f32> {
  return a[(params.a_first + row + lane) * params.a_stride + step];
}

fn a0(share: vec4<f32>) -> vec4<f32> {
  return subgroupBroadcast(share, 0u);
}

fn a1(share: vec4<f32>) -> vec4<f32> {
  return subgroupBroadcast(share, 1u);
}

fn a2(share: vec4<f32>) -> vec4<f32> {
  return subgroupBroadcast(share, 2u);
}

fn a3(share: vec4<f32>) -> vec4<f32> {
  return subgroupBroadcast(share, 3u);
}

fn a4(share: vec4<f32>) -> vec4<f32> {
  return subgroupBroadcast(share, 4u);
}

fn a5(share: vec4<f32>) -> vec4<f32> {
  return subgroupBroadcast(share, 5u);
}

fn a6(share: vec4<f32>) -> vec4<f32> {
  return subgroupBroadcast(share, 6u);
}

fn a7(share: vec4<f32>) -> vec4<f32> {
  return subgroupBroadcast(share, 7u);
}
