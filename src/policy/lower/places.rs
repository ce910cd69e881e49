//! Surfaces and services, their workloads and channels.

use std::collections::HashMap;

use super::Lowering;
use crate::diagnostics::{Code, Diagnostic, Place as FilePlace};
use crate::identity::{Workload, WorkloadPattern};
use crate::policy::model::{Channel, ChannelId, Place, PlaceId, PlaceKind, Via, ViaPlace};
use crate::policy::raw::{RawPlace, RawVia, Text};
use crate::yaml::Spanned;

/// Which place each workload belongs to.
#[derive(Default)]
pub(super) struct Workloads {
    pub(super) exact: HashMap<Workload, PlaceId>,
    pub(super) subtrees: Vec<(WorkloadPattern, PlaceId)>,
    pub(super) none: Option<PlaceId>,
}

impl Lowering<'_> {
    pub(super) fn places(&mut self, raw: &[RawPlace<'_>]) -> Workloads {
        let mut workloads = Workloads::default();
        let mut names: HashMap<&str, FilePlace> = HashMap::new();
        let mut patterns: Vec<(&Spanned<WorkloadPattern>, &str)> = Vec::new();
        let mut without: Option<FilePlace> = None;
        for place in raw {
            let Ok(index) = u32::try_from(self.shared.places.len()) else {
                break;
            };
            let id = PlaceId(index);
            let name = place.name;
            if matches!(name.value, "any-surface" | "any-service") {
                let message = format!("`{}` is a word of the language", name.value);
                self.report(
                    Diagnostic::error(Code::BadValue, name.place, message)
                        .help("choose another name"),
                );
            }
            if let Some(first) = names.insert(name.value, name.place) {
                let message = format!("`{}` is both a surface and a service", name.value);
                self.report(
                    Diagnostic::error(Code::Conflict, name.place, message)
                        .related(first, "first here")
                        .help("rename one of them: rules and records know them by name"),
                );
            }
            let reaches = place.reaches.iter().filter_map(|name| self.environment(*name)).collect();
            match &place.workloads {
                None => {
                    if let Some(first) = without {
                        let message = "two surfaces say `workloads: none`";
                        self.report(
                            Diagnostic::error(Code::TwoPlaces, name.place, message)
                                .related(first, "first here")
                                .help("whoever comes without a workload is at one surface: list the workloads of the other"),
                        );
                    }
                    without = Some(name.place);
                    workloads.none = Some(id);
                }
                Some(list) => {
                    for pattern in list {
                        self.workload(pattern, name.value, &mut patterns);
                        match &pattern.value {
                            WorkloadPattern::Exact(workload) => {
                                workloads.exact.insert(workload.clone(), id);
                            }
                            subtree @ WorkloadPattern::Subtree(_) => {
                                workloads.subtrees.push((subtree.clone(), id));
                            }
                        }
                    }
                }
            }
            let kind = if place.service {
                PlaceKind::Service
            } else {
                let verified = place.workloads.is_some();
                let clients = place.clients.as_ref();
                let clients =
                    clients.map(|list| list.iter().map(|text| text.value.into()).collect());
                PlaceKind::Surface { channels: self.channels(place), verified, clients }
            };
            let patterns = place.workloads.iter().flatten();
            let workloads = patterns.map(|pattern| pattern.value.clone()).collect();
            let origin = self.rule(name);
            self.shared().places.push(Place {
                name: name.value.into(),
                origin,
                workloads,
                kind,
                reaches,
            });
        }
        workloads
    }

    /// ⚠ A workload is a surface or a service, never both, and never two of either.
    fn workload<'r>(
        &mut self,
        pattern: &'r Spanned<WorkloadPattern>,
        place: &'r str,
        seen: &mut Vec<(&'r Spanned<WorkloadPattern>, &'r str)>,
    ) {
        let clash = seen.iter().find(|(other, _)| other.value.overlaps(&pattern.value));
        if let Some((other, other_place)) = clash {
            let message = if *other_place == place {
                format!("`{}` is named twice by `{place}`", pattern.value)
            } else {
                format!("`{}` belongs to `{other_place}` and to `{place}`", pattern.value)
            };
            self.report(
                Diagnostic::error(Code::TwoPlaces, pattern.place, message)
                    .related(other.place, "first here")
                    .help("remove it from one of them: a workload is one surface or one service"),
            );
        }
        seen.push((pattern, place));
    }

    fn channels(&mut self, place: &RawPlace<'_>) -> Vec<Channel> {
        let mut seen: HashMap<&str, FilePlace> = HashMap::new();
        if let (None, Some((first, _))) = (&place.workloads, place.channels.first()) {
            let message = "a surface without a workload cannot vouch for channels";
            self.report(
                Diagnostic::error(Code::BadValue, first.place, message)
                    .help("its channel header could come from anybody; remove `channels`"),
            );
        }
        for (_, ids) in &place.channels {
            for id in ids {
                if let Some(first) = seen.insert(id.value, id.place) {
                    let message = format!("channel `{}` stands twice", id.value);
                    self.report(
                        Diagnostic::error(Code::TwoPlaces, id.place, message)
                            .related(first, "first here")
                            .help("remove one of them: an identifier is one channel"),
                    );
                }
            }
        }
        let channel = |(name, ids): &(Text<'_>, Vec<Text<'_>>)| Channel {
            name: name.value.into(),
            ids: ids.iter().map(|id| id.value.into()).collect(),
        };
        place.channels.iter().map(channel).collect()
    }

    pub(super) fn via(&mut self, raw: &RawVia<'_>) -> Via {
        match raw {
            RawVia::AnySurface => Via::AnySurface,
            RawVia::Places(names) => {
                let places: Vec<_> =
                    names.iter().filter_map(|name| self.via_place(*name)).collect();
                Via::Places(self.common.places(&places))
            }
        }
    }

    fn via_place(&mut self, name: Text<'_>) -> Option<ViaPlace> {
        let (surface_name, channel_name) = match name.value.split_once('/') {
            Some((surface, channel)) => (surface, Some(channel)),
            None => (name.value, None),
        };
        let found =
            self.shared.places.iter().enumerate().find(|(_, place)| &*place.name == surface_name);
        let Some((index, place)) = found else {
            if name.value == "any-surface" {
                let message = "`any-surface` stands beside other surfaces, and means them too";
                self.report(
                    Diagnostic::error(Code::BadValue, name.place, message)
                        .help("write `[any-surface]`, or name surfaces only"),
                );
                return None;
            }
            let candidates = self.surface_names();
            let (code, file) = (Code::UnknownPlace, "surfaces.yaml");
            self.unknown(code, name, "surface", file, &candidates);
            return None;
        };
        let PlaceKind::Surface { channels, .. } = &place.kind else {
            let message = format!("`{surface_name}` is a service; `via` names surfaces");
            self.report(
                Diagnostic::error(Code::UnknownPlace, name.place, message)
                    .help("a service acts without a person: use `services`"),
            );
            return None;
        };
        let surface = PlaceId(u32::try_from(index).ok()?);
        let Some(channel_name) = channel_name else {
            return Some(ViaPlace { surface, channel: None });
        };
        let channel = channels.iter().position(|channel| &*channel.name == channel_name);
        if let Some(channel) = channel.and_then(|index| u32::try_from(index).ok()) {
            return Some(ViaPlace { surface, channel: Some(ChannelId(channel)) });
        }
        let (code, file) = (Code::UnknownPlace, "surfaces.yaml");
        self.unknown(code, name, "channel", file, &self.surface_names());
        None
    }

    /// A whole surface.
    pub(super) fn surface(&mut self, name: Text<'_>) -> Option<PlaceId> {
        let ViaPlace { surface, channel } = self.via_place(name)?;
        if channel.is_some() {
            let message = "a channel is named where a whole surface is meant";
            self.report(
                Diagnostic::error(Code::BadValue, name.place, message)
                    .help("name the surface without its channel"),
            );
        }
        Some(surface)
    }

    fn surface_names(&self) -> Vec<String> {
        let mut names = vec!["any-surface".to_owned()];
        for place in &self.shared.places {
            if let PlaceKind::Surface { channels, .. } = &place.kind {
                names.push(place.name.to_string());
                names.extend(
                    channels.iter().map(|channel| format!("{}/{}", place.name, channel.name)),
                );
            }
        }
        names
    }

    pub(super) fn service(&mut self, name: Text<'_>) -> Option<PlaceId> {
        let found = self.shared.places.iter().position(|place| {
            &*place.name == name.value && matches!(place.kind, PlaceKind::Service)
        });
        if found.is_none() {
            let is_service = |place: &&Place| matches!(place.kind, PlaceKind::Service);
            let candidates: Vec<_> = self
                .shared
                .places
                .iter()
                .filter(is_service)
                .map(|place| place.name.to_string())
                .collect();
            let (code, file) = (Code::UnknownPlace, "surfaces.yaml");
            self.unknown(code, name, "service", file, &candidates);
        }
        found.and_then(|index| u32::try_from(index).ok()).map(PlaceId)
    }
}
