//! What a service manager is told (`sd_notify(3)`); nothing if there is none. Best effort: a manager
//! that does not listen changes nothing for those who call.

use sd_notify::{NotifyState, notify};

/// Requests are answered.
pub(super) fn tell_ready() {
    tell(&[NotifyState::Ready]);
}

/// The policies are being read again because somebody asked (`Type=notify-reload`).
pub(super) fn tell_reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// No more requests are taken.
pub(super) fn tell_stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
