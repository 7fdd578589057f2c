//! Connections: a thread each, requests one after the other.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::account::Caller;
use crate::cloud::Shared;
use crate::fault::{self, FaultKind};
use crate::http::{Request, Response};
use crate::log::Entry;
use crate::refusal::{Answer, Refusal};
use crate::route::Route;
use crate::{Service, ebs, ec2, euca, json, properties, s3, signature, stack, sts};

/// Takes connections until the cloud stops.
pub(crate) fn listen(shared: &Arc<Shared>, listener: &TcpListener) {
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let number = shared.counter.fetch_add(1, Ordering::Relaxed);
            if let Ok(clone) = stream.try_clone() {
                connections(&shared).insert(number, clone);
            }
            serve(&shared, stream);
            connections(&shared).remove(&number);
        });
    }
}

fn connections(shared: &Shared) -> std::sync::MutexGuard<'_, std::collections::BTreeMap<u64, TcpStream>> {
    shared.connections.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(shared: &Shared, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while !shared.stop.load(Ordering::SeqCst) {
        let Ok(Some(request)) = Request::read(&mut reader) else { return };
        let close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !answer(shared, &request, reader.get_mut()) || close {
            return;
        }
    }
}

/// Answers a request; false when the connection is to be closed.
fn answer(shared: &Shared, request: &Request, stream: &mut TcpStream) -> bool {
    let route = Route::of(request);
    let fault = shared.faults().take(route.service, &route.action, &route.key);
    let id = format!("00000000-0000-4000-8000-{:012x}", shared.counter.fetch_add(1, Ordering::Relaxed));
    let mut entry = Entry {
        service: route.service,
        action: route.action.clone(),
        key: route.key.clone(),
        region: String::new(),
        account: String::new(),
        status: 0,
        code: String::new(),
        done: false,
        bytes: request.body.len(),
    };
    let refused = match &fault {
        Some(FaultKind::Status(status)) => Some(fault::refusal(route.service, *status)),
        Some(FaultKind::Code(status, code)) => Some(Refusal::new(*status, *code, "A fault was asked for.")),
        Some(FaultKind::Reset) => {
            shared.note(entry);
            let _ = rustix::net::sockopt::set_socket_linger(&*stream, Some(std::time::Duration::ZERO));
            return false;
        }
        Some(FaultKind::Html502) => {
            entry.status = 502;
            shared.note(entry);
            let page =
                "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><hr></body></html>\r\n";
            return send(stream, request, &Response::new(502, "text/html", page), None);
        }
        _ => None,
    };
    let answer = match refused {
        Some(refusal) => Err(refusal),
        None => handle(shared, &route, request, &mut entry),
    };
    let response = match answer {
        Ok(response) => {
            entry.done = true;
            response
        }
        Err(refusal) => {
            entry.code.clone_from(&refusal.code);
            refusal.response(route.service, &id)
        }
    };
    let kept = match fault {
        Some(FaultKind::CloseAfterRequest) => {
            shared.note(entry);
            return false;
        }
        Some(FaultKind::Nonsense) => {
            entry.status = 200;
            shared.note(entry);
            return send(stream, request, &Response::new(200, "text/plain", "all is well"), None);
        }
        Some(FaultKind::Late(time)) => {
            std::thread::sleep(time);
            None
        }
        other => other,
    };
    entry.status = response.status;
    shared.note(entry);
    send(stream, request, &response, kept.as_ref())
}

fn handle(shared: &Shared, route: &Route, request: &Request, entry: &mut Entry) -> Answer {
    if request.chunked {
        let text = "You must provide the Content-Length HTTP header.";
        return Err(Refusal::new(411, "MissingContentLength", text));
    }
    let unsigned = route.action == "AssumeRoleWithWebIdentity";
    let nobody = route.service == Service::S3
        && request.header("authorization").is_none()
        && request.parameter("X-Amz-Signature").is_none();
    let caller = if nobody {
        Caller { region: s3::region(shared, &route.path), ..Caller::default() }
    } else if unsigned {
        Caller { region: shared.options.region.clone(), ..Caller::default() }
    } else {
        signature::verify(shared, route.service, request)?
    };
    entry.region.clone_from(&caller.region);
    entry.account.clone_from(&caller.account);
    if !shared.options.regions.contains(&caller.region) {
        let text = format!("there is no region {}", caller.region);
        return Err(Refusal::new(403, "SignatureDoesNotMatch", text));
    }
    match route.service {
        Service::S3 => s3::handle(shared, route, request, &caller),
        Service::Ec2 => ec2::handle(shared, route, request, &caller),
        Service::Ebs => ebs::handle(shared, route, request, &caller),
        Service::Sts => sts::handle(shared, route, request, &caller),
        Service::Ssm | Service::Kms => json::handle(shared, route, request, &caller),
        Service::Bootstrap => euca::handle(shared, request),
        Service::CloudFormation => stack::handle(shared, route, request, &caller),
        Service::AutoScaling => stack::handle_scaling(shared, route, request, &caller),
        Service::Properties => properties::handle(shared, route, request, &caller),
    }
}

/// Sends an answer; false when the connection is to be closed.
fn send(stream: &mut TcpStream, request: &Request, response: &Response, fault: Option<&FaultKind>) -> bool {
    if stream.write_all(&response.head()).is_err() {
        return false;
    }
    if request.method == "HEAD" {
        return true;
    }
    let body = &response.body;
    match fault {
        Some(FaultKind::Truncated) => {
            let _ = stream.write_all(body.get(..body.len() / 2).unwrap_or_default());
            false
        }
        Some(FaultKind::SlowBody(pause)) => {
            for piece in body.chunks((body.len() / 8).max(1)) {
                std::thread::sleep(*pause);
                if stream.write_all(piece).is_err() {
                    return false;
                }
            }
            true
        }
        _ => stream.write_all(body).is_ok(),
    }
}
