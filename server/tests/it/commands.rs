//! The control socket with a real server behind it.

use std::sync::Arc;

use healthsync_core::api::ScopeInfo;
use healthsync_pairing::{
    device::DeviceKey,
    enroll::client::{Event, enroll},
    environment::Environment,
    invite::Invite,
};
use healthsync_server::{
    control::{
        client::{self, Conversation},
        protocol::{Limits, Reply, Request, WireApproval},
        server, socket,
    },
    error::ServerError,
    settings::SocketHomes,
};
use tokio::task::JoinHandle;

use crate::house::House;

struct Desk {
    house: House,
    homes: SocketHomes,
    serving: JoinHandle<()>,
}

impl Desk {
    fn open() -> Self {
        let house = House::open();
        let homes = SocketHomes {
            runtime: None,
            temporary: house.folder.path().to_owned(),
        };
        let bound = socket::bind(house.app.folder(), &homes).expect("a socket");
        let serving = tokio::spawn(server::serve(bound, Arc::clone(&house.app)));
        Self {
            house,
            homes,
            serving,
        }
    }

    async fn ask(&self, request: &Request) -> Result<Conversation, ServerError> {
        client::ask(self.house.app.folder(), &self.homes, request).await
    }

    async fn ask_once(&self, request: &Request) -> Result<Reply, ServerError> {
        client::ask_once(self.house.app.folder(), &self.homes, request).await
    }

    async fn close(self) {
        self.serving.abort();
        self.house.close().await;
    }
}

fn window(approval: WireApproval) -> Request {
    Request::Pair {
        seconds: 60,
        approval,
        limits: Limits::default(),
        days: 365,
    }
}

fn code(error: &ServerError) -> &str {
    error.stable_code()
}

#[tokio::test]
async fn device_is_paired_by_the_digits_that_it_shows() {
    let desk = Desk::open();
    let mut conversation = desk
        .ask(&window(WireApproval::Digits))
        .await
        .expect("asked");
    let Ok(Reply::Window { text, .. }) = conversation.next().await else {
        panic!("no window");
    };
    let Ok(Reply::Status(status)) = desk.ask_once(&Request::Status).await else {
        panic!("no status");
    };
    assert!(status.window_open);

    let (sender, mut digits) = tokio::sync::mpsc::unbounded_channel();
    let enrolling = tokio::spawn(async move {
        let invite = Invite::parse(&text).expect("an invitation");
        let key = DeviceKey::generate().expect("a key");
        enroll(&invite, key, "Anna", &Environment::system(), &mut |event| {
            if let Event::Digits { digits, .. } = event {
                sender.send(digits).expect("heard");
            }
        })
        .await
    });
    let Ok(Reply::DigitsWanted(waiting)) = conversation.next().await else {
        panic!("no question");
    };
    assert_eq!(waiting.name, "Anna");
    assert!(waiting.key_digest.starts_with("sha256:"));
    let shown = digits.recv().await.expect("digits");
    let wrong = if shown == "000000" {
        "000001"
    } else {
        "000000"
    };
    let refused = desk
        .ask_once(&Request::Approve {
            digits: wrong.to_owned(),
        })
        .await;
    assert_eq!(code(&refused.expect_err("wrong digits")), "WRONG_DIGITS");
    assert!(matches!(
        conversation.next().await,
        Ok(Reply::WrongDigits { left: 2 })
    ));
    desk.ask_once(&Request::Approve { digits: shown })
        .await
        .expect("approved");
    let enrolled = enrolling.await.expect("ran").expect("enrolled");

    let trust = Arc::clone(desk.house.app.trust());
    let record = trust.pairs().expect("pairs").remove(0);
    assert_eq!(record.pair, enrolled.credentials.pair);
    let peer = healthsync_pairing::trust::Peer {
        pair: record.pair,
        key: record.key,
        not_after: record.leaf_not_after,
        serial: String::new(),
        address: std::net::Ipv4Addr::LOCALHOST.into(),
    };
    trust.acknowledge(&peer).expect("acknowledged");
    let Ok(Reply::Paired { pair, name }) = conversation.next().await else {
        panic!("not paired");
    };
    assert_eq!((pair, name.as_str()), (record.pair.to_string(), "Anna"));

    let Ok(Reply::Pair(line)) = desk.ask_once(&Request::Pairs).await else {
        panic!("no pair");
    };
    assert_eq!(
        (line.name.as_str(), line.state.as_str()),
        ("Anna", "active")
    );
    assert_eq!(line.scope, ScopeInfo::default());
    let allow = |types: &[&str], origins: &[&str], all| Request::Allow {
        name: "Anna".to_owned(),
        limits: Limits {
            types: types.iter().map(|&text| text.to_owned()).collect(),
            origins: origins.iter().map(|&text| text.to_owned()).collect(),
        },
        all,
    };
    for (request, types, origins) in [
        (
            allow(&["heart_rate", "sleepREM"], &[], false),
            Some("heartRate sleepAnalysis:asleepREM"),
            None,
        ),
        // What is not named stays.
        (
            allow(&[], &["ana"], false),
            Some("heartRate sleepAnalysis:asleepREM"),
            Some("ana"),
        ),
        (allow(&["steps"], &[], true), Some("steps"), None),
        (allow(&[], &[], true), None, None),
    ] {
        let Ok(Reply::Allowed(line)) = desk.ask_once(&request).await else {
            panic!("not allowed");
        };
        let (found_types, found_origins) = (line.scope.types, line.scope.origins);
        assert_eq!(found_types.map(|names| names.join(" ")).as_deref(), types);
        assert_eq!(
            found_origins.map(|names| names.join(" ")).as_deref(),
            origins
        );
    }
    let misspelt = desk.ask_once(&allow(&["stepz"], &[], false)).await;
    assert_eq!(code(&misspelt.expect_err("misspelt")), "UNKNOWN_TYPE");
    let Ok(Reply::Revoked(line)) = desk
        .ask_once(&Request::Revoke {
            name: "Anna".to_owned(),
        })
        .await
    else {
        panic!("not revoked");
    };
    assert_eq!(line.state, "revoked");
    let late = Request::Allow {
        name: line.pair.clone(),
        limits: Limits::default(),
        all: true,
    };
    let late = desk.ask_once(&late).await;
    assert_eq!(code(&late.expect_err("too late")), "PAIR_REFUSED");
    for name in ["Anna".to_owned(), record.pair.to_string()] {
        let again = desk.ask_once(&Request::Revoke { name }).await;
        let Ok(Reply::AlreadyRevoked(again)) = again else {
            panic!("not known as revoked: {again:?}");
        };
        assert_eq!(again.pair, line.pair);
    }
    desk.close().await;
}

#[tokio::test]
async fn window_closes_with_its_command() {
    let desk = Desk::open();
    let mut first = desk
        .ask(&window(WireApproval::Digits))
        .await
        .expect("asked");
    assert!(matches!(first.next().await, Ok(Reply::Window { .. })));
    let mut second = desk
        .ask(&window(WireApproval::Digits))
        .await
        .expect("asked");
    assert_eq!(
        code(&second.next().await.expect_err("one at a time")),
        "WINDOW_OPEN"
    );
    drop(first);
    // The server notices as soon as it is scheduled.
    let opened = async {
        loop {
            let mut again = desk.ask(&window(WireApproval::None)).await.expect("asked");
            if let Ok(Reply::Window { .. }) = again.next().await {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), opened)
        .await
        .expect("closed");
    desk.close().await;
}

#[tokio::test]
async fn mistakes_have_codes() {
    let desk = Desk::open();
    for (request, expected) in [
        (
            Request::Approve {
                digits: "123456".to_owned(),
            },
            "NO_WINDOW",
        ),
        (Request::Refuse, "NO_WINDOW"),
        (
            Request::Revoke {
                name: "Nobody".to_owned(),
            },
            "PAIR_NOT_FOUND",
        ),
        (
            window(WireApproval::ExpectKey("sha256:zz".to_owned())),
            "CONTROL_PROTOCOL",
        ),
    ] {
        let error = desk.ask_once(&request).await.expect_err("refused");
        assert!(
            code(&error) == expected || code(&error) == "NOT_WAITING",
            "{request:?}: {}",
            code(&error)
        );
        assert!(!error.to_string().is_empty());
    }
    assert!(matches!(
        desk.ask_once(&Request::Pairs).await,
        Ok(Reply::Done)
    ));
    desk.close().await;
}

#[tokio::test]
async fn paused_server_gives_no_data_and_remembers_it() {
    let desk = Desk::open();
    let device = desk.house.pair("Anna").await;
    for (request, data, word) in [
        (Request::Pause, 423, "paused"),
        (Request::Pause, 423, "paused"),
        (Request::Resume, 200, "ok"),
    ] {
        assert!(matches!(desk.ask_once(&request).await, Ok(Reply::Done)));
        let config = desk.house.app.folder().config().expect("a configuration");
        assert_eq!(config.paused, word == "paused");
        for (path, status) in [
            ("/api/v1/samples", data),
            ("/api/v1/health/types", data),
            ("/api/v1/status", 200),
            ("/api/v1/whoami", 200),
        ] {
            let answer = device.get(path).await;
            assert_eq!(answer.status(), status, "{path} {word}");
            let body: serde_json::Value = answer.json().await.expect("JSON");
            match (path, status) {
                ("/api/v1/status", _) => assert_eq!(body["status"], word),
                (_, 423) => assert_eq!(body["code"], "LOCKED"),
                _ => {}
            }
        }
        let Ok(Reply::Status(status)) = desk.ask_once(&Request::Status).await else {
            panic!("no status");
        };
        assert_eq!(status.paused, word == "paused");
    }
    // What changed nothing is no event.
    let audit = desk.house.app.audit();
    audit.settle().await.expect("written");
    let log = audit.entries(0, 0, 100).expect("entries").into_iter();
    let events = log.map(|entry| entry.event);
    let events: Vec<_> = events
        .filter(|event| event == "paused" || event == "resumed")
        .collect();
    assert_eq!(events, ["paused", "resumed"]);
    desk.close().await;
}
