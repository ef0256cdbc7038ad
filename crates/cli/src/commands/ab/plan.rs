//! `recsys ab plan`: how many viewers a test needs.

use anyhow::Result;
use recsys_core::experiments::stats::Plan;
use serde::Serialize;

/// How many viewers a comparison of two shares needs, with one look at the end and with a look whenever one likes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Share of the control's viewers with the outcome, such as 0.05.
    #[arg(long, value_name = "SHARE")]
    baseline: f64,
    /// Smallest relative effect worth finding: 0.1 is a tenth more, -0.1 a tenth less.
    #[arg(
        long,
        value_name = "CHANGE",
        allow_hyphen_values = true,
        required_unless_present = "to"
    )]
    lift: Option<f64>,
    /// The same as a share after the effect.
    #[arg(long, value_name = "SHARE", conflicts_with = "lift")]
    to: Option<f64>,
    /// Probability of finding an effect where there is none.
    #[arg(long, default_value_t = 0.05)]
    alpha: f64,
    /// Probability of finding the effect.
    #[arg(long, default_value_t = 0.8)]
    power: f64,
    /// Viewers of the treatment for each of the control.
    #[arg(long, default_value_t = 1.0)]
    ratio: f64,
    /// Arms that are compared with the control; alpha is divided among them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=15))]
    treatments: u32,
    /// New viewers a day, over all arms, to tell how long it takes.
    #[arg(long, value_name = "VIEWERS")]
    per_day: Option<f64>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    baseline: f64,
    treatment: f64,
    /// Of each comparison.
    alpha: f64,
    power: f64,
    /// One look, at the end.
    fixed: Need,
    /// A look whenever one likes.
    sequential: Need,
}

#[derive(Debug, Serialize)]
struct Need {
    control: u64,
    /// Each of them.
    treatment: u64,
    all: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<f64>,
}

/// Runs the command.
///
/// # Errors
/// A number out of its range.
pub fn run(args: &Args) -> Result<()> {
    let treatment = args
        .to
        .unwrap_or_else(|| args.baseline * (1.0 + args.lift.unwrap_or_default()));
    let alpha = args.alpha / f64::from(args.treatments);
    let plan = Plan::new(args.baseline, treatment, alpha, args.power, args.ratio)?;
    let need = |control: u64| {
        let treatment = (control as f64 * args.ratio).ceil() as u64;
        let all = control + treatment * u64::from(args.treatments);
        let days = args.per_day.filter(|per_day| *per_day > 0.0);
        Need {
            control,
            treatment,
            all,
            days: days.map(|per_day| all as f64 / per_day),
        }
    };
    let answer = Answer {
        baseline: args.baseline,
        treatment,
        alpha,
        power: args.power,
        fixed: need(plan.fixed()),
        sequential: need(plan.sequential()),
    };
    if args.json {
        println!("{}", serde_json::to_string(&answer)?);
        return Ok(());
    }
    println!(
        "from {} to {}, alpha {}, power {}",
        answer.baseline,
        // A product such as 0.05 × 1.1 has digits that nobody asked for.
        (answer.treatment * 1e9).round() / 1e9,
        answer.alpha,
        answer.power
    );
    for (what, need) in [
        ("one look at the end", &answer.fixed),
        ("a look at any time", &answer.sequential),
    ] {
        let days = need
            .days
            .map_or_else(String::new, |days| format!(", {days:.1} days"));
        let Need {
            control,
            treatment,
            all,
            ..
        } = need;
        println!(
            "{what:<20} {control} viewers in the control, {treatment} in each treatment, {all} in all{days}"
        );
    }
    println!("then: recsys ab report … --planned {}", answer.fixed.control);
    Ok(())
}
