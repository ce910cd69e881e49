//! `Check` as HTTP/2 carries it: what is one whole message is answered, and nothing else is; and
//! what one stream does wrong is no other's affair.

use std::time::Duration;

use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use tokio::io::DuplexStream;
use tokio::time::timeout;
use tonic::Code;

use super::super::peer::Peers;
use super::super::tests::edge;
use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

const MAX_BYTES: usize = 100;

/// A client on a connection of its own, and what tells the connection to go.
async fn client() -> (SendRequest<Bytes>, tokio::sync::oneshot::Sender<()>) {
    let edge = edge();
    let peers = Peers::new(&edge.config.grpc);
    let services = Services::new(Service::new(Arc::new(edge), peers), MAX_BYTES, Routes::default());
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (end, ends) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(services.answer(theirs, Leaf::default(), async {
        ends.await.ok();
    }));
    let (client, connection): (_, Connection<DuplexStream, Bytes>) =
        h2::client::handshake(ours).await.unwrap();
    tokio::spawn(connection);
    (client, end)
}

/// A request whose message is still to come.
async fn ask(
    client: &SendRequest<Bytes>,
    headers: &[(&'static str, &'static str)],
) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
    let mut request = Request::post(format!("http://toolgate{CHECK}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.clone().ready().await?.send_request(request.body(()).unwrap(), false)
}

/// The code that the answer ends with.
async fn code(response: ResponseFuture) -> Code {
    let (parts, mut body) = timeout(PATIENCE, response).await.unwrap().unwrap().into_parts();
    if let Some(code) = parts.headers.get(GRPC_STATUS) {
        return Code::from_bytes(code.as_bytes());
    }
    let mut message = Vec::new();
    while let Some(piece) = body.data().await {
        message.extend(piece.unwrap());
    }
    assert!(!unframed(message.into()).unwrap().is_empty());
    Code::from_bytes(body.trailers().await.unwrap().unwrap()[GRPC_STATUS].as_bytes())
}

fn framed(compressed: u8, length: u32, message: &[u8]) -> Vec<u8> {
    [&[compressed][..], &length.to_be_bytes(), message].concat()
}

#[tokio::test]
async fn one_whole_message_is_answered_and_nothing_else_is() {
    let (client, _end) = client().await;
    let long = vec![b'x'; MAX_BYTES + 1];
    for (pieces, expected) in [
        // Whatever its bytes say: what is no `CheckRequest` is refused by an answer.
        (vec![framed(0, 0, b"")], Code::Ok),
        (vec![framed(0, 3, b"\xff\xff\xff")], Code::Ok),
        (framed(0, 3, b"abc").into_iter().map(|byte| vec![byte]).collect(), Code::Ok),
        (vec![vec![], vec![0, 0, 0], vec![], vec![0, 1], vec![], b"a".to_vec(), vec![]], Code::Ok),
        (vec![vec![]], Code::Internal),
        (vec![vec![0, 0, 0, 0]], Code::Internal),
        (vec![framed(0, 2, b"abc")], Code::Internal),
        (vec![framed(0, 4, b"abc")], Code::Internal),
        (vec![framed(0, u32::MAX, b"abc")], Code::Internal),
        (vec![framed(0, 0, b""), framed(0, 0, b"")], Code::Internal),
        (vec![framed(1, 1, b"a")], Code::Unimplemented),
        (vec![framed(255, 1, b"a")], Code::Unimplemented),
        (vec![framed(0, 101, b""), long], Code::ResourceExhausted),
    ] {
        let (response, mut body) = ask(&client, &[]).await.unwrap();
        for (at, piece) in pieces.iter().enumerate() {
            // Who is answered before the end is no longer listened to.
            body.send_data(piece.clone().into(), at + 1 == pieces.len()).ok();
        }
        assert_eq!(code(response).await, expected, "{pieces:?}");
    }
}

#[tokio::test]
async fn what_one_stream_does_wrong_is_no_others_affair() {
    let (client, _end) = client().await;
    let (response, mut waiting) = ask(&client, &[]).await.unwrap();
    for _ in 0..1500 {
        let (response, mut body) = ask(&client, &[("content-length", "1")]).await.unwrap();
        body.send_data(framed(0, 0, b"").into(), true).unwrap();
        let error = timeout(PATIENCE, response).await.unwrap().unwrap_err();
        assert_eq!((error.is_reset(), error.reason()), (true, Some(Reason::PROTOCOL_ERROR)));
    }
    waiting.send_data(framed(0, 0, b"").into(), true).unwrap();
    assert_eq!(code(response).await, Code::Ok);
}

#[tokio::test]
async fn a_connection_that_is_told_to_go_answers_what_is_in_flight() {
    let (client, end) = client().await;
    let (response, mut body) = ask(&client, &[]).await.unwrap();
    body.send_data(Bytes::from_static(&[0, 0]), false).unwrap();
    // The server has seen it.
    let (other, mut whole) = ask(&client, &[]).await.unwrap();
    whole.send_data(framed(0, 0, b"").into(), true).unwrap();
    assert_eq!(code(other).await, Code::Ok);
    end.send(()).unwrap();
    let refused = async {
        while let Ok((response, mut body)) = ask(&client, &[]).await {
            body.send_data(framed(0, 0, b"").into(), true).ok();
            if response.await.is_err() {
                break;
            }
        }
    };
    timeout(PATIENCE, refused).await.unwrap();
    body.send_data(Bytes::from_static(&[0, 0, 0]), true).unwrap();
    assert_eq!(code(response).await, Code::Ok);
}
