//! From raw scores to what the training objective predicts.

/// How a raw score (margin) becomes the value that the training objective predicts:
/// the activation of `scale` times the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Output {
    /// The function.
    pub activation: Activation,
    /// Finite and above zero. LightGBM's `sigmoid` parameter, and one over the number of iterations in
    /// its random forests, whose raw scores are sums and whose predictions are means. Else 1.
    pub scale: f32,
}

/// The function of an [`Output`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x`: ranking, least squares.
    Identity,
    /// `1 / (1 + exp(-x))`, class by class.
    Logistic,
    /// `exp(x)`: Poisson, gamma and Tweedie regression.
    Exponential,
    /// `sign(x) * x²`: LightGBM's `reg_sqrt`.
    SignedSquare,
    /// `ln(1 + exp(x))`: LightGBM's `cross_entropy_lambda`.
    Softplus,
    /// Softmax over the classes. Needs at least two.
    Softmax,
}

impl From<Activation> for Output {
    /// With a scale of 1.
    fn from(activation: Activation) -> Self {
        Self {
            activation,
            scale: 1.0,
        }
    }
}

impl Output {
    /// The raw score itself.
    pub const IDENTITY: Self = Self {
        activation: Activation::Identity,
        scale: 1.0,
    };

    /// Turns one row's raw scores (one a class) into predictions, in place.
    ///
    /// Uses `exp`, which may differ in the last bit between platforms; raw scores never do.
    pub fn apply(self, scores: &mut [f32]) {
        each(scores, |x| self.scale * x);
        match self.activation {
            Activation::Identity => {}
            Activation::Logistic => each(scores, |x| 1.0 / (1.0 + (-x).exp())),
            Activation::Exponential => each(scores, f32::exp),
            Activation::SignedSquare => each(scores, |x| x * x.abs()),
            Activation::Softplus => each(scores, |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
            Activation::Softmax => {
                let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                each(scores, |x| (x - top).exp());
                let sum: f32 = scores.iter().sum();
                each(scores, |x| x / sum);
            }
        }
    }
}

fn each(scores: &mut [f32], f: impl Fn(f32) -> f32) {
    scores.iter_mut().for_each(|x| *x = f(*x));
}
