use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::tower::*;
use std::time::Instant;
fn tower(shape: &Shape) -> AlignedBytes {
    let mut s = 1u64;
    let mut noise = |n: usize, spread: f32| -> Vec<f32> {
        (0..n)
            .map(|_| {
                s = s
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                ((s >> 40) as f32 / 8388608.0 - 1.0) * spread
            })
            .collect()
    };
    let mut w = Writer::new(shape);
    let width = shape.width;
    let lin = |w: &mut Writer, noise: &mut dyn FnMut(usize, f32) -> Vec<f32>, i: usize, o: usize, b: bool| {
        let (codes, scales) = pack(&noise(i * o, 1.7 / (i as f32).sqrt()), i).unwrap();
        let bias = if b { noise(o, 0.1) } else { vec![] };
        w.linear(Linear {
            codes: &codes,
            scales: &scales,
            bias: &bias,
        });
    };
    let ones = vec![1f32; width];
    let zeros = vec![0f32; width];
    if let Input::Image { patch, .. } = shape.input {
        w.floats(&noise(width, 1.0));
        lin(&mut w, &mut noise, 3 * patch * patch, width, false);
        w.floats(&ones);
        w.floats(&zeros);
    }
    w.floats(&noise(shape.positions * width, 0.1));
    for _ in 0..shape.layers {
        w.floats(&ones);
        w.floats(&zeros);
        lin(&mut w, &mut noise, width, 3 * width, true);
        lin(&mut w, &mut noise, width, width, true);
        w.floats(&ones);
        w.floats(&zeros);
        lin(&mut w, &mut noise, width, shape.hidden, true);
        lin(&mut w, &mut noise, shape.hidden, width, true);
    }
    w.floats(&ones);
    w.floats(&zeros);
    lin(&mut w, &mut noise, width, shape.dim, false);
    w.finish().unwrap()
}
fn main() {
    let image = Shape {
        input: Input::Image { size: 224, patch: 16 },
        positions: 197,
        width: 256,
        heads: 4,
        layers: 10,
        hidden: 1024,
        dim: 512,
        activation: Activation::QuickGelu,
        epsilon: 1e-5,
    };
    let text = Shape {
        input: Input::Text,
        positions: 77,
        width: 256,
        heads: 4,
        layers: 3,
        hidden: 1024,
        dim: 512,
        activation: Activation::QuickGelu,
        epsilon: 1e-5,
    };
    let mut sc = Scratch::default();
    let ti = Tower::open(tower(&image)).unwrap();
    let tt = Tower::open(tower(&text)).unwrap();
    let planes: Vec<f32> = (0..3 * 224 * 224)
        .map(|i| ((i * 7919) % 1000) as f32 / 250.0 - 2.0)
        .collect();
    let rows: Vec<f32> = (0..16 * 256)
        .map(|i| ((i * 7919) % 1000) as f32 / 5000.0 - 0.1)
        .collect();
    let mut best = [f64::MAX; 2];
    for _ in 0..12 {
        let t = Instant::now();
        let v = tower_run(&ti, &planes, &mut sc);
        best[0] = best[0].min(t.elapsed().as_secs_f64() * 1e3);
        std::hint::black_box(v);
    }
    for _ in 0..200 {
        let t = Instant::now();
        std::hint::black_box(tt.encode_tokens(&rows, &mut sc));
        best[1] = best[1].min(t.elapsed().as_secs_f64() * 1e3);
    }
    println!("image {:.2} ms, text {:.3} ms", best[0], best[1]);
}
#[inline(never)]
fn tower_run(t: &Tower, p: &[f32], s: &mut Scratch) -> Option<Vec<f32>> {
    t.encode_planes(p, s)
}
