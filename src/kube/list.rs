//! One complete list, page by page, decoded while it comes in.

use super::bounded::Piece;
use super::decode::{self, OBJECT_LIMIT};
use super::failure::Failure;
use super::items::{ItemSplitter, ListMeta};
use super::kind::{Kind, Protobuf};
use super::messages::MessageSplitter;
use super::pacer::Turn;
use super::reflector::{ListFrom, Reflector};
use super::request::{self, Chunks, Form};
use crate::index::ListOutcome;
use crate::objects::ObjectKey;
use crate::status::{Outcome, Verb};
use std::fmt::Display;
use tokio::time::Instant;

/// Pages of fewer would stay below 128 KiB, and the server compresses only what is larger.
const PAGE: &str = "500";

impl<K: Kind> Reflector<K> {
    /// Reads the whole list. Nothing of an unfinished one is used.
    pub(super) async fn list(
        &mut self,
        from: &ListFrom,
    ) -> Result<(ListOutcome<K>, String), Failure> {
        match self.list_once(from).await {
            // The token of a page expired while the pages before were read: once more, at once.
            Err((failure, page)) if page > 0 && failure.is_expired() => {
                self.entry().count_relist();
                self.list_once(from).await
            }
            result => result,
        }
        .map_err(|(failure, _)| failure)
    }

    /// An error comes with the number of the page that failed.
    async fn list_once(
        &mut self,
        from: &ListFrom,
    ) -> Result<(ListOutcome<K>, String), (Failure, usize)> {
        let reach = self.scope.reach.clone();
        let mut outcome = ListOutcome { reach, ..ListOutcome::of(Vec::new()) };
        let mut version = None;
        let mut token = None;
        for page in 0.. {
            let turn = if page == 0 { self.turn() } else { Turn::Extra };
            self.pacer.wait(turn).await;
            let meta = self.page(from, token.as_deref(), &mut outcome).await;
            self.count(Verb::List, meta.as_ref().err());
            let meta = meta.map_err(|failure| (failure, page))?;
            // All pages are of the version of the first.
            let version: &String = version.get_or_insert(meta.resource_version.unwrap_or_default());
            if version.is_empty() {
                let failure = Failure::Garbled("a list without resourceVersion".to_owned());
                return Err((failure, page));
            }
            match meta.token.filter(|token| !token.is_empty()) {
                // Something that ignores the query gives the same page for ever.
                Some(next) if token.as_ref() == Some(&next) => {
                    let failure = Failure::Garbled("the same page comes again".to_owned());
                    return Err((failure, page));
                }
                Some(next) => token = Some(next),
                None => return Ok((outcome, version.clone())),
            }
        }
        unreachable!("the pages end or fail")
    }

    async fn page(
        &mut self,
        from: &ListFrom,
        token: Option<&str>,
        outcome: &mut ListOutcome<K>,
    ) -> Result<ListMeta, Failure> {
        let form = match K::PROTOBUF {
            _ if self.scope.metadata_only => Form::MetadataList,
            Some(_) => Form::Compact,
            None => Form::Full,
        };
        let request = request::get(&self.list_uri(from, token), form, true)?;
        let until = Instant::now() + self.timing.page;
        let answer = self.send(request, self.timing.headers).await?;
        let protobuf = K::PROTOBUF.filter(|_| request::is_protobuf(&answer));
        let mut chunks = Chunks::new(answer.into_body(), self.timing.body_silence, until);
        if let Some(protobuf) = protobuf {
            let mut messages = MessageSplitter::new(OBJECT_LIMIT);
            while let Some(chunk) = chunks.next().await? {
                messages.push(&chunk, |message| self.take_message(&protobuf, message, outcome));
            }
            return messages.finish().map_err(Failure::Garbled);
        }
        let mut items = ItemSplitter::new(OBJECT_LIMIT);
        while let Some(chunk) = chunks.next().await? {
            items.push(&chunk, |item| self.take(item, outcome));
        }
        items.finish().map_err(Failure::Garbled)
    }

    fn list_uri(&self, from: &ListFrom, token: Option<&str>) -> String {
        let mut query = self.scope.query();
        match (token, from) {
            (Some(token), _) => {
                query.append_pair("limit", PAGE).append_pair("continue", token);
            }
            (None, ListFrom::NotOlderThan(version)) if self.scope.is_of_node() => {
                query
                    .append_pair("resourceVersion", version)
                    .append_pair("resourceVersionMatch", "NotOlderThan");
            }
            (None, ListFrom::MostRecent) if self.scope.is_of_node() => {}
            // With a version the server would ignore the limit, or read etcd without its index.
            (None, _) => {
                query.append_pair("limit", PAGE);
            }
        }
        format!("{}?{}", self.scope.path, query.finish())
    }

    pub(super) fn take(&mut self, item: Piece<'_>, outcome: &mut ListOutcome<K>) {
        let (text, problem) = match item {
            Piece::Whole(text) => match K::decode(text, self.node()) {
                Ok(object) => return self.keep(object, outcome),
                Err(error) => (text, Some(error)),
            },
            Piece::TooLong(text) => (text, None),
        };
        let head = decode::head(text).filter(|head| !head.key.name.is_empty());
        let problem = problem.as_ref().map(|error| error as &dyn Display);
        self.leave_out(head.map(|head| head.key), problem, outcome);
    }

    pub(super) fn take_message(
        &mut self,
        protobuf: &Protobuf<K>,
        message: Piece<'_>,
        outcome: &mut ListOutcome<K>,
    ) {
        let (text, problem) = match message {
            Piece::Whole(text) => match (protobuf.decode)(text) {
                Ok(object) => return self.keep(object, outcome),
                Err(error) => (text, Some(error)),
            },
            Piece::TooLong(text) => (text, None),
        };
        let problem = problem.as_ref().map(|error| error as &dyn Display);
        self.leave_out((protobuf.key)(text), problem, outcome);
    }

    fn keep(&mut self, mut object: K, outcome: &mut ListOutcome<K>) {
        self.entry().count_dropped_endpoints(object.take_dropped_endpoints());
        self.bad_objects.remove(object.key());
        outcome.objects.push(object);
    }

    /// Of an object that cannot be read, the last good state stays.
    fn leave_out(
        &mut self,
        key: Option<ObjectKey>,
        problem: Option<&dyn Display>,
        outcome: &mut ListOutcome<K>,
    ) {
        self.report_bad_object(key.as_ref(), problem);
        match key {
            Some(key) => outcome.undecodable.push(key),
            None => outcome.unnamed = true,
        }
    }

    pub(super) fn count(&self, verb: Verb, failure: Option<&Failure>) {
        self.entry().count_request(verb, failure.map_or(Outcome::Ok, Failure::outcome));
        // One refusal that only says how to ask is not yet a failure.
        if failure.is_some_and(|failure| !self.caller.tries_other_way(failure)) {
            self.pacer.failed();
        }
    }
}
