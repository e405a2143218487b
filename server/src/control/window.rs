//! The pairing window of the running server, as the command `pair` follows it.

use std::sync::Arc;

use healthsync_core::api::ScopeInfo;
use healthsync_pairing::{
    enroll::host::{Approval, HostEvent, Window, WindowOptions},
    secret::Secret,
    trust::Scope,
};
use tokio::{io::AsyncReadExt as _, net::unix::OwnedReadHalf};

use super::{
    ControlError,
    protocol::{Limits, Reply, Waiting, WireApproval},
    server::{self, Answer},
};
use crate::{addresses, app::App, error::ServerError, permit, present::PresentError};

/// Opens it with what a person typed; also what the new device may read then.
pub(super) async fn open(
    app: &Arc<App>,
    seconds: u16,
    approval: WireApproval,
    limits: Limits,
    leaf_days: u16,
) -> Result<(Window, ScopeInfo), ServerError> {
    let mut scope = Scope::default();
    server::understood(app, limits).await?.change(&mut scope);
    let shown = permit::info(&scope);
    let approval = match approval {
        WireApproval::Digits => Approval::Digits,
        WireApproval::ExpectKey(digest) => {
            Approval::ExpectKey(digest.parse().map_err(|_| ControlError::Unexpected)?)
        }
        WireApproval::None if addresses::are_loopback(app.listening()) => Approval::None,
        WireApproval::None => return Err(PresentError::ApprovalNeeded.into()),
    };
    let options = WindowOptions {
        seconds,
        addresses: addresses::reachable(
            app.listening(),
            &addresses::default_route(),
            &addresses::interfaces(),
        )?,
        server_name: app.name().to_owned(),
        approval,
        leaf_days,
        scope,
    };
    let trust = Arc::clone(app.trust());
    let window = app.blocking(move || trust.open_window(options)).await??;
    Ok((window, shown))
}

/// Tells the command what happens in the window; the command going away closes it.
pub(super) async fn follow(
    app: &App,
    mut window: Window,
    scope: &ScopeInfo,
    mut command: OwnedReadHalf,
    answer: &mut Answer,
) -> std::io::Result<()> {
    let _open = app.window_opened();
    answer
        .say(&Reply::Window {
            text: text_of(&window.text),
            code: window.code().as_ref().map(text_of),
            expires_at: window.expires_at,
        })
        .await?;
    let mut ignored = [0_u8; 64];
    loop {
        let event = tokio::select! {
            event = window.events.recv() => event,
            read = command.read(&mut ignored) => match read {
                Ok(1..) => continue,
                Ok(0) | Err(_) => return Ok(()),
            },
        };
        let reply = match event {
            Some(HostEvent::DigitsWanted {
                name,
                key,
                from,
                seconds,
                replaces,
            }) => Reply::DigitsWanted(Waiting {
                name,
                key_digest: key.to_string(),
                key_short: key.short(),
                from,
                seconds,
                replaces: replaces.map(Into::into),
                scope: scope.clone(),
            }),
            Some(HostEvent::AnotherDevice) => Reply::AnotherDevice,
            Some(HostEvent::NewCode) => match window.code().as_ref().map(text_of) {
                Some(code) => Reply::Code { code },
                // It is over as well by now; that event follows.
                None => continue,
            },
            Some(HostEvent::CodesEnded) => Reply::CodeModeEnded,
            Some(HostEvent::WrongDigits { left }) => Reply::WrongDigits { left },
            Some(HostEvent::Paired { pair, name }) => {
                return answer
                    .say(&Reply::Paired {
                        pair: pair.to_string(),
                        name,
                    })
                    .await;
            }
            Some(HostEvent::Closed { code }) => {
                return answer
                    .say(&Reply::Closed {
                        code: code.to_owned(),
                    })
                    .await;
            }
            None => {
                return answer
                    .say(&Reply::Closed {
                        code: "PAIRING_FAILED".to_owned(),
                    })
                    .await;
            }
        };
        answer.say(&reply).await?;
    }
}

/// Invitation and code leave the server here alone, towards its own user.
fn text_of(text: &Secret) -> String {
    String::from_utf8_lossy(text.expose()).into_owned()
}
