//! `pair`: opens a window, shows the code, asks for the digits.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::json;

use crate::{
    args,
    control::{
        ControlError,
        client::{self, Conversation},
        protocol::{Reply, Request, Waiting, WireApproval},
    },
    error::{ExitStatus, ServerError},
    keyboard::Keyboard,
    present::Screen,
    question,
    settings::Settings,
};

/// A person who was refused may want a new code; a forgotten terminal may not.
const ANOTHER_CODE: Duration = Duration::from_mins(1);

/// Opens a window and follows it to its end.
pub(super) async fn pair(
    settings: &Settings,
    args: &args::Pair,
) -> Result<ExitStatus, ServerError> {
    let printer = settings.printer;
    let mut keyboard = if printer.is_interactive() {
        Some(Keyboard::open().map_err(ServerError::Output)?)
    } else {
        None
    };
    let request = Request::Pair {
        seconds: args.seconds,
        days: args.days,
        approval: match (&args.expect_key, args.approve) {
            (Some(key), _) => WireApproval::ExpectKey(key.to_string()),
            (None, Some(args::Approve::None)) => WireApproval::None,
            (None, None) => WireApproval::Digits,
        },
        limits: args.limits.clone().into(),
    };
    let mut force = args.force;
    loop {
        let conversation = client::ask(&settings.folder, &settings.socket_homes, &request).await?;
        let mut window = OpenWindow {
            settings,
            args,
            force,
            conversation,
            waiting: None,
        };
        match window.follow(keyboard.as_mut()).await? {
            Outcome::Paired => return Ok(ExitStatus::Success),
            Outcome::Closed(code) => {
                let Some(keyboard) = keyboard.as_mut().filter(|_| code == "PAIRING_REFUSED") else {
                    return Ok(ExitStatus::Failed);
                };
                printer.prompt("Enter = new code, Ctrl-C = stop: ")?;
                keyboard.forget();
                if !matches!(
                    tokio::time::timeout(ANOTHER_CODE, keyboard.line()).await,
                    Ok(Some(_))
                ) {
                    printer.line("\n")?;
                    return Ok(ExitStatus::Failed);
                }
                // The picture of the old code is ours.
                force = true;
            }
        }
    }
}

/// How a window ended.
enum Outcome {
    Paired,
    Closed(String),
}

/// A window as this command sees it.
struct OpenWindow<'a> {
    settings: &'a Settings,
    args: &'a args::Pair,
    force: bool,
    conversation: Conversation,
    waiting: Option<Waiting>,
}

impl OpenWindow<'_> {
    async fn follow(
        &mut self,
        mut keyboard: Option<&mut Keyboard>,
    ) -> Result<Outcome, ServerError> {
        loop {
            let asked = self.waiting.is_some();
            let typed = async {
                match keyboard.as_deref_mut().filter(|_| asked) {
                    Some(keyboard) => keyboard.line().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                reply = self.conversation.next() => {
                    if let Some(outcome) = self.tell(reply?)? {
                        return Ok(outcome);
                    }
                    if self.waiting.is_some() && !asked
                        && let Some(keyboard) = keyboard.as_deref_mut()
                    {
                        keyboard.forget();
                    }
                }
                line = typed => self.typed(line).await?,
            }
        }
    }

    /// Shows what happened.
    fn tell(&mut self, reply: Reply) -> Result<Option<Outcome>, ServerError> {
        let printer = self.settings.printer;
        match reply {
            Reply::Window {
                text,
                code,
                expires_at,
            } => self.open(text, code, expires_at)?,
            Reply::DigitsWanted(waiting) => {
                printer.event(
                    &json!({
                        "event": "digits-wanted",
                        "name": waiting.name,
                        "keyDigest": waiting.key_digest,
                        "scope": waiting.scope,
                        "replaces": waiting.replaces,
                    }),
                    || format!("\n{}", question::question(&waiting)),
                )?;
                self.waiting = Some(waiting);
                self.prompt()?;
            }
            Reply::AnotherDevice => {
                let text = "! Another device knows this code too.";
                printer.event(&json!({"event": "another-device"}), || format!("\n{text}"))?;
                self.prompt()?;
            }
            Reply::Code { code } => printer
                .event(&json!({"event": "code", "code": code}), || {
                    question::new_code(&code)
                })?,
            Reply::CodeModeEnded => printer.event(&json!({"event": "code-mode-ended"}), || {
                question::CODES_ENDED.to_owned()
            })?,
            Reply::WrongDigits { left } => {
                let event = json!({"event": "wrong-digits", "left": left});
                let entries = if left == 1 { "entry is" } else { "entries are" };
                printer.event(&event, || {
                    format!("These are not its digits. {left} {entries} left.")
                })?;
                self.prompt()?;
            }
            Reply::Paired { pair, name } => {
                printer.event(
                    &json!({"event": "paired", "pair": pair, "name": name}),
                    || format!("Paired with '{name}' ({pair})."),
                )?;
                return Ok(Some(Outcome::Paired));
            }
            Reply::Closed { code } => {
                printer.event(&json!({"event": "closed", "code": code}), || {
                    format!("\n{}\n  [{code}]", question::closed(&code))
                })?;
                return Ok(Some(Outcome::Closed(code)));
            }
            Reply::Pair(_)
            | Reply::Status(_)
            | Reply::Revoked(_)
            | Reply::Crl(_)
            | Reply::CrlMissing(_)
            | Reply::Allowed(_)
            | Reply::AlreadyRevoked(_)
            | Reply::Audit(_)
            | Reply::AuditVerdict(_)
            | Reply::Done
            | Reply::Error(_) => {
                return Err(ControlError::Unexpected.into());
            }
        }
        Ok(None)
    }

    fn open(&self, text: String, code: Option<String>, expires_at: i64) -> Result<(), ServerError> {
        let printer = self.settings.printer;
        let mut event = json!({"event": "window", "text": text, "expiresAt": expires_at});
        if let (Some(code), Some(fields)) = (&code, event.as_object_mut()) {
            fields.insert("code".to_owned(), json!(code));
        }
        let screen = Screen::new(text, code, expires_at)?;
        if let Some(path) = &self.args.png {
            screen.write_png(path, self.force)?;
            printer.note(&format!("The code is in {}.", path.display()));
        }
        printer.event(&event, || {
            if printer.shows_pictures() {
                screen.lines(&TimeZone::system()).join("\n")
            } else {
                screen.texts().join("\n")
            }
        })
    }

    /// Asks for the digits, or says how to give them.
    fn prompt(&self) -> Result<(), ServerError> {
        let printer = self.settings.printer;
        match &self.waiting {
            Some(waiting) if printer.is_interactive() => {
                printer.prompt(&question::digits_prompt(waiting.seconds))
            }
            Some(_) => {
                printer.note("Approve it with `healthsync-server approve DIGITS`.");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What the person typed. Wrong digits come back as an event of the window.
    async fn typed(&mut self, line: Option<String>) -> Result<(), ServerError> {
        let line = line.unwrap_or_default();
        let request = if line.trim().is_empty() {
            self.waiting = None;
            Request::Refuse
        } else if let Some(digits) = question::parse_digits(&line) {
            Request::Approve { digits }
        } else {
            self.settings
                .printer
                .line("Type the six digits that the device shows.")?;
            return self.prompt();
        };
        let approves = matches!(request, Request::Approve { .. });
        match client::ask_once(&self.settings.folder, &self.settings.socket_homes, &request).await {
            Ok(_) => {
                self.waiting = None;
                if approves {
                    self.settings
                        .printer
                        .note("These are its digits. Waiting for the device ..");
                }
                Ok(())
            }
            Err(ServerError::Remote(told))
                if told.code == "WRONG_DIGITS" || told.code == "NOT_WAITING" =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
