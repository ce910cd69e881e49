//! What is asked: the request line, the headers that matter, and the body as an action.

use super::edge::Refused;
use super::refusal::Say;
use super::request::{Headers, Incoming};
use crate::config::Config;
use crate::mcp::{self, Action, Discovery, Era, Malformed, Message, MirrorHeaders, Violation};

/// The header by which a surface with channels says which one. Believed from nobody else.
const CHANNEL: &str = "x-toolgate-channel";

/// Path, method, origin: what is settled before anybody is looked at.
pub(super) fn check_request_line(
    incoming: &Incoming<'_>,
    config: &Config,
    say: &Say<'_>,
) -> Result<(), Refused> {
    // Byte for byte: the query, an escape or another case make it another path.
    if incoming.path != incoming.route.path {
        return Err(say.bad_request("the path or query is not this server's"));
    }
    if !matches!(incoming.method, "POST" | "GET" | "DELETE") {
        return Err(say.method_not_allowed("POST, GET, DELETE"));
    }
    // Readers differ on which of two counts.
    let Ok(session) = incoming.headers.once("mcp-session-id") else {
        return Err(say.bad_request("two sessions"));
    };
    if incoming.headers.once("last-event-id").is_err() {
        return Err(say.bad_request("two events to go on from"));
    }
    // What a stream said before may have been said to somebody else: it is a session's, or nobody's.
    if resumes(&incoming.headers) && !(incoming.method == "GET" && session.is_some()) {
        return Err(say.bad_request("only the event streams of sessions are resumed"));
    }
    if incoming.headers.all("upgrade").next().is_some() {
        return Err(say.bad_request("upgrades are not accepted"));
    }
    // A browser that is led here by a foreign page says so.
    let mut origins = incoming.headers.all("origin");
    let known = |origin: &[u8]| config.origins.iter().any(|known| known.as_bytes() == origin);
    match (origins.next(), origins.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) if known(origin) => Ok(()),
        (Some(_), _) => Err(say.foreign_origin()),
    }
}

/// Whether a stream is to go on from what was said before.
pub(super) fn resumes(headers: &Headers<'_>) -> bool {
    headers.all("last-event-id").next().is_some()
}

/// The message in the body; `None` for GET and DELETE, which have none.
pub(super) fn message<'r>(
    incoming: &Incoming<'r>,
    say: &Say<'_>,
    put_up_with: &[Violation],
) -> Result<Option<(Message<'r>, Option<Violation>)>, Refused> {
    let headers = &incoming.headers;
    let coding = headers.all("content-encoding").any(|coding| coding != b"identity");
    let partial = headers.all("x-envoy-auth-partial-body").any(|partial| partial != b"false");
    if coding || partial {
        return Err(say.bad_request("the body is encoded or incomplete"));
    }
    if incoming.method != "POST" {
        return if incoming.body.is_empty() {
            Ok(None)
        } else {
            Err(say.bad_request("GET and DELETE have no body"))
        };
    }
    match headers.once("content-type") {
        Ok(Some(value)) if is_utf8(value, "application/json") => {}
        _ => return Err(say.bad_request("the content type is not application/json")),
    }
    let read = mcp::parse_leniently(incoming.body, put_up_with);
    read.map(Some).map_err(|problem| say.malformed(problem, None))
}

/// One media type, with `charset=utf-8` at most.
pub(super) fn is_utf8(value: &[u8], media_type: &str) -> bool {
    let Ok(value) = std::str::from_utf8(value) else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let is_media_type = parts.next().is_some_and(|t| t.eq_ignore_ascii_case(media_type));
    let is_charset = |parameter: &str| {
        parameter.split_once('=').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("charset")
                && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    };
    is_media_type && parts.all(is_charset)
}

/// The action, and the era whose rules it follows.
pub(super) fn action<'m>(
    incoming: &Incoming<'_>,
    message: Option<&'m Message<'_>>,
    say: &Say<'_>,
) -> Result<(Action<'m>, Era, Option<Violation>), Refused> {
    let mut mirrors = MirrorHeaders::default();
    let text = |value| std::str::from_utf8(value).ok();
    for (name, mirror) in [
        ("mcp-protocol-version", &mut mirrors.version),
        ("mcp-method", &mut mirrors.method),
        ("mcp-name", &mut mirrors.name),
    ] {
        incoming.headers.all(name).for_each(|value| mirror.add(text(value)));
    }
    let refuse = |problem| match problem {
        Malformed::UnsupportedVersion => say.unsupported_version(
            mirrors.requested(message),
            &mcp::spoken(message),
            message.and_then(Message::id),
        ),
        Malformed::NotJson(_)
        | Malformed::NotAMessage(_)
        | Malformed::HeaderMismatch(_)
        | Malformed::NoMeta(_) => say.malformed(problem, message.and_then(Message::id)),
    };
    let Some(message) = message else {
        let era = mirrors.bodiless_era().map_err(refuse)?;
        return match (era, incoming.method) {
            (Era::Older, "GET") => Ok((Action::Discover(Discovery::OpenStream), era, None)),
            (Era::Older, "DELETE") => Ok((Action::Discover(Discovery::EndSession), era, None)),
            _ => Err(say.method_not_allowed("POST")),
        };
    };
    let (mirrors, violation) = mirrors.filled_in(message, &say.config.compatibility);
    // Of a method that an era does not have, nobody says what its parameters are.
    let era = mirrors.era(message, &Action::Unknown).map_err(refuse)?;
    if !message.is_in(era) {
        return Ok((Action::Unknown, era, violation));
    }
    let action = message.action().map_err(refuse)?;
    let era = mirrors.era(message, &action).map_err(refuse)?;
    Ok((action, era, violation))
}

/// Nothing that could stand for no channel, or for several.
fn is_channel_id(value: &str) -> bool {
    (1..=128).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic() && b != b',')
}

/// The channel that the request says it comes from.
pub(super) fn channel<'r>(
    headers: &Headers<'r>,
    say: &Say<'_>,
) -> Result<Option<&'r str>, Refused> {
    match headers.once(CHANNEL) {
        Ok(None) => Ok(None),
        Ok(Some(value)) => std::str::from_utf8(value)
            .ok()
            .filter(|value| is_channel_id(value))
            .map(Some)
            .ok_or_else(|| say.bad_request("the channel is not one identifier")),
        Err(_) => Err(say.bad_request("two channels")),
    }
}
