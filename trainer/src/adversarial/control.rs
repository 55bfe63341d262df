//! What is done about overfitting: more variation, then a pause, then a step back.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// How overfitting is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlConfig {
    /// Off: the probability of variations stays where it starts, and nothing pauses or steps back.
    pub enabled: bool,
    /// The r_v that the probability of variations is moved towards.
    pub target: f64,
    /// Probability of each variation at the start.
    pub initial_probability: f64,
    /// How far it moves with each measurement.
    pub probability_step: f64,
    /// It rises no further: variations that nearly always happen leak into what the generator
    /// makes (Karras et al. 2020, section 2.2).
    pub highest_probability: f64,
    /// Share of the former value in the running mean of r_v, which everything here goes by.
    pub smoothing: f64,
    /// r_v above which the discriminators pause.
    pub pause_above: f64,
    /// Steps that a pause lasts.
    pub pause_steps: u64,
    /// r_v above which the discriminators go back to where they last were at the target or below.
    pub roll_back_above: f64,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            target: 0.5,
            initial_probability: 0.0,
            probability_step: 0.05,
            highest_probability: 0.8,
            smoothing: 0.5,
            pause_above: 0.75,
            pause_steps: 50,
            roll_back_above: 0.95,
        }
    }
}

/// Where the control stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlState {
    /// Probability of each variation.
    pub probability: f64,
    /// Running mean of r_v; `None` before the first measurement and after a step back.
    pub r_v: Option<f64>,
    /// The discriminators learn again from this step on.
    pub paused_until: u64,
    /// Pauses so far.
    pub pauses: u64,
    /// Steps back so far.
    pub roll_backs: u64,
}

/// What a measurement led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// At the target or below: these weights are worth going back to.
    Healthy,
    /// Above the target.
    Watch,
    /// The discriminators do not learn for a while.
    Pause,
    /// The discriminators went back to the last healthy weights.
    RollBack,
}

impl ControlConfig {
    pub(super) fn validate(&self) -> Result<()> {
        let shares = [
            ("initial_probability", self.initial_probability),
            ("probability_step", self.probability_step),
            ("highest_probability", self.highest_probability),
        ];
        for (field, value) in shares {
            ensure!(
                (0.0..=1.0).contains(&value),
                "adversarial.control.{field} is {value}, it must be within 0..=1"
            );
        }
        ensure!(
            (0.0..1.0).contains(&self.smoothing),
            "adversarial.control.smoothing is {}, it must be within 0..1",
            self.smoothing
        );
        ensure!(
            self.target < self.pause_above && self.pause_above < self.roll_back_above,
            "adversarial.control needs target < pause_above < roll_back_above, they are {}, {} \
             and {}",
            self.target,
            self.pause_above,
            self.roll_back_above
        );
        Ok(())
    }
}

impl ControlState {
    pub(super) fn new(config: &ControlConfig) -> Self {
        Self {
            probability: config.initial_probability,
            r_v: None,
            paused_until: 0,
            pauses: 0,
            roll_backs: 0,
        }
    }

    /// Takes note of a measurement after `step`. Where nothing is told apart, nothing is overfitted
    /// either: `None` counts as 0.
    pub(super) fn observe(
        &mut self,
        config: &ControlConfig,
        measured: Option<f64>,
        step: u64,
    ) -> Action {
        let measured = measured.unwrap_or(0.0);
        let r_v = match self.r_v {
            Some(before) => config.smoothing * before + (1.0 - config.smoothing) * measured,
            None => measured,
        };
        self.r_v = Some(r_v);
        let is_healthy = r_v <= config.target;
        if !config.enabled {
            return if is_healthy {
                Action::Healthy
            } else {
                Action::Watch
            };
        }
        let move_by = config.probability_step * if is_healthy { -1.0 } else { 1.0 };
        self.probability = (self.probability + move_by).clamp(0.0, config.highest_probability);
        if r_v > config.roll_back_above {
            self.roll_backs += 1;
            self.r_v = None; // It told of weights that are no more.
            Action::RollBack
        } else if r_v > config.pause_above {
            self.pauses += 1;
            self.paused_until = step + config.pause_steps;
            Action::Pause
        } else if is_healthy {
            Action::Healthy
        } else {
            Action::Watch
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ControlConfig {
        ControlConfig {
            target: 0.5,
            probability_step: 0.1,
            highest_probability: 0.6,
            smoothing: 0.0,
            pause_above: 0.7,
            pause_steps: 40,
            roll_back_above: 0.9,
            ..ControlConfig::default()
        }
    }

    /// Guards against a control that moves the wrong way or out of its range.
    #[test]
    fn the_probability_follows_r_v_within_its_range() {
        let config = config();
        let mut state = ControlState::new(&config);
        assert_eq!(state.observe(&config, Some(0.2), 0), Action::Healthy);
        assert_eq!(state.probability, 0.0);
        for step in 1..=20 {
            assert_eq!(state.observe(&config, Some(0.6), step), Action::Watch);
        }
        assert_eq!(state.probability, 0.6);
        // Nothing is told apart: nothing can be overfitted.
        assert_eq!(state.observe(&config, None, 21), Action::Healthy);
        assert!((state.probability - 0.5).abs() < 1e-12);
    }

    /// Guards against bounds in the wrong order, and against a pause without an end.
    #[test]
    fn it_pauses_for_a_while_and_steps_back_beyond() {
        let config = config();
        let mut state = ControlState::new(&config);
        assert_eq!(state.observe(&config, Some(0.8), 100), Action::Pause);
        assert_eq!((state.paused_until, state.pauses), (140, 1));
        assert_eq!(state.observe(&config, Some(1.2), 200), Action::RollBack);
        assert_eq!((state.roll_backs, state.r_v), (1, None));
        assert_eq!(state.paused_until, 140);
    }

    /// Guards against one unlucky measurement that throws the weights away.
    #[test]
    fn a_running_mean_decides() {
        let config = ControlConfig {
            smoothing: 0.75,
            ..config()
        };
        let mut state = ControlState::new(&config);
        let _ = state.observe(&config, Some(0.1), 0);
        assert_eq!(state.observe(&config, Some(1.4), 1), Action::Healthy);
        assert!((state.r_v.unwrap() - 0.425).abs() < 1e-12);
    }

    /// Guards against a plain GAN that is controlled all the same.
    #[test]
    fn turned_off_it_only_watches() {
        let config = ControlConfig {
            enabled: false,
            initial_probability: 0.2,
            ..config()
        };
        let mut state = ControlState::new(&config);
        for r_v in [0.1, 0.8, 2.0] {
            let _ = state.observe(&config, Some(r_v), 5);
        }
        let untouched = ControlState {
            r_v: Some(2.0),
            ..ControlState::new(&config)
        };
        assert_eq!(state, untouched);
    }
}
