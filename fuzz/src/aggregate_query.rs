//! The query string of `GET /api/v1/aggregates`, through the routes of a real server that has samples of
//! each kind. What no request line may hold is sent as `%XX`.

use crate::http_head;

/// It is answered with totals or refused; it is no fault of the server.
pub fn run(data: &[u8]) -> bool {
    let mut query = String::new();
    for byte in data.iter().take(4096) {
        if byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(byte) {
            query.push(char::from(*byte));
        } else {
            query.push_str(&format!("%{byte:02X}"));
        }
    }
    let request = format!(
        "GET /api/v1/aggregates?{query} HTTP/1.1\r\nHost: PAIR.healthsync.internal\r\n\r\n"
    );
    http_head::run(request.as_bytes())
}

/// Every parameter, and what goes wrong with them.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let zone = "period=daily&timezone=Europe/Vienna&types=steps&start=2025-12-30&end=2026-01-05";
    [
        ("none", ""),
        ("zone", zone),
        (
            "hourly",
            "period=hourly&start=2026-01-01T08:00:00Z&end=2026-01-01T10:00:00Z",
        ),
        (
            "weekly",
            "period=weekly&weekStart=sunday&types=heartRate,sleepAnalysis&origin=default",
        ),
        (
            "monthly",
            "period=monthly&types=all&timezone=America/New_York",
        ),
        (
            "yearly",
            "period=yearly&types=sleepAnalysis:asleepREM&start=0001-01-01&end=9999-12-31",
        ),
        (
            "hours-of-all-time",
            "period=hourly&start=-009999-01-01T00:00:00Z&end=9999-12-31T23:59:59Z",
        ),
        ("relative", "start=7d&end=now"),
        ("backwards", "start=2026-01-05&end=2026-01-01"),
        ("fixed-zone", "timezone=+05:45"),
        ("hostile-zone", "timezone=../../etc/passwd"),
        ("posix-zone", "timezone=EST5EDT4,M3.2.0,M11.1.0"),
        ("no-zone", "timezone="),
        ("twice", "period=daily&period=weekly"),
        ("unknown", "periods=daily"),
        (
            "escapes",
            "types=%73teps&timezone=Europe%2FVienna&start=%00&end=%",
        ),
        (
            "many",
            "types=steps,steps,steps,steps,heartRate,,,&origin=a,b,c,,default",
        ),
    ]
    .map(|(name, query)| (name, query.as_bytes().to_vec()))
    .to_vec()
}
