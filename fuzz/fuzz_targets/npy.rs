//! NumPy's matrices.
#![no_main]

use recsys_core::npy::Matrix;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(matrix) = Matrix::parse(data) {
        recsys_fuzz::holds::matrix(&matrix);
    }
});
