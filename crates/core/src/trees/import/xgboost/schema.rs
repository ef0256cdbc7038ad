//! The fields of XGBoost's model schema that the importer reads.

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;

#[derive(Deserialize)]
pub(super) struct Document {
    pub(super) learner: Learner,
    pub(super) version: Vec<u32>,
}

#[derive(Deserialize)]
pub(super) struct Learner {
    #[serde(default)]
    pub(super) feature_names: Vec<String>,
    pub(super) gradient_booster: Booster,
    pub(super) learner_model_param: LearnerParam,
    pub(super) objective: Objective,
}

#[derive(Deserialize)]
pub(super) struct Objective {
    pub(super) name: String,
}

/// Numbers are strings here.
#[derive(Deserialize)]
pub(super) struct LearnerParam {
    pub(super) base_score: String,
    pub(super) num_class: String,
    pub(super) num_feature: String,
    pub(super) num_target: Option<String>,
}

/// Of gbtree, or (with `gbtree` and `weight_drop`) of dart. Others have other fields.
#[derive(Deserialize)]
pub(super) struct Booster {
    pub(super) name: String,
    pub(super) model: Option<Forest>,
    pub(super) gbtree: Option<GbTree>,
    pub(super) weight_drop: Option<Vec<f32>>,
}

#[derive(Deserialize)]
pub(super) struct GbTree {
    pub(super) model: Forest,
}

/// The defaults let a gblinear model through to the check of its name.
#[derive(Deserialize)]
pub(super) struct Forest {
    #[serde(default)]
    pub(super) trees: Vec<JsonTree>,
    #[serde(default)]
    pub(super) tree_info: Vec<usize>,
    pub(super) gbtree_model_param: Option<ForestParam>,
}

#[derive(Deserialize)]
pub(super) struct ForestParam {
    pub(super) num_trees: String,
}

#[derive(Deserialize)]
pub(super) struct JsonTree {
    pub(super) left_children: Vec<i64>,
    pub(super) right_children: Vec<i64>,
    pub(super) split_conditions: Vec<Number>,
    pub(super) split_indices: Vec<u64>,
    pub(super) default_left: Vec<Flag>,
    #[serde(default)]
    pub(super) sum_hessian: Vec<Number>,
    #[serde(default)]
    pub(super) split_type: Vec<u8>,
    #[serde(default)]
    pub(super) categories: Vec<u64>,
    #[serde(default)]
    pub(super) categories_nodes: Vec<usize>,
    #[serde(default)]
    pub(super) categories_segments: Vec<usize>,
    #[serde(default)]
    pub(super) categories_sizes: Vec<usize>,
    pub(super) tree_param: TreeParam,
}

#[derive(Deserialize)]
pub(super) struct TreeParam {
    pub(super) num_nodes: String,
    pub(super) num_deleted: Option<String>,
    pub(super) size_leaf_vector: Option<String>,
}

/// A truth value: `true`, `false`, 0 or 1, by version.
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Flags;
        impl Visitor<'_> for Flags {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, 0 or 1")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }

            fn visit_u64<E: Error>(self, flag: u64) -> Result<Flag, E> {
                Ok(Flag(flag != 0))
            }

            fn visit_i64<E: Error>(self, flag: i64) -> Result<Flag, E> {
                Ok(Flag(flag != 0))
            }
        }
        deserializer.deserialize_any(Flags)
    }
}

/// A number. In JSON, NaN and the infinities come as what `quote_specials` left of their names.
pub(super) struct Number(pub(super) f32);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl Visitor<'_> for Numbers {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f32<E: Error>(self, number: f32) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number as f32))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f32))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f32))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Number, E> {
                match name {
                    "a" => Ok(Number(f32::NAN)),
                    "nfinit" => Ok(Number(f32::INFINITY)),
                    "Infinit" => Ok(Number(f32::NEG_INFINITY)),
                    _ => Err(E::invalid_type(serde::de::Unexpected::Str(name), &self)),
                }
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}
