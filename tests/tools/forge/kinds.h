#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/bundle/layer.h"
#include "core/bundle/manifest.h"

namespace berth::forge {

/// What the forged releases are made of: a good one that is in the repository.
struct Base {
  bundle::Manifest manifest;
  std::string program;  ///< the content of bin/testapp, for the release that is right
};

/// A release as bytes: whatever is in them will be signed.
struct Forged {
  std::string app, environment;              ///< its target's name; empty: as the base
  std::string manifest;
  std::map<std::string, std::string> blobs;  ///< SHA-256 → bytes
};

/// A way to be hostile.
struct Kind {
  std::string release;  ///< its id, which says what is wrong
  std::string path;     ///< what a refusal has to name: a path, a member, a frame
  std::string rule;     ///< and words of the rule that is broken
  std::function<Forged(const Base&, const std::string& release)> make;
};

/// A channel `stable` that is not what a channel may be, signed for under the right name.
struct ChannelKind {
  std::string app;   ///< its own for each, which says what is wrong
  std::string rule;  ///< words of the rule that is broken; a refusal has to name the channel besides
  std::string text;  ///< what is signed
};

std::vector<Kind> path_kinds();      ///< tars whose paths and links lead elsewhere
std::vector<Kind> type_kinds();      ///< tars with what a layer does not have
std::vector<Kind> header_kinds();    ///< tars with tricks in their headers, ends and padding
std::vector<Kind> tree_kinds();      ///< tars that are right, but not what the index says
std::vector<Kind> frame_kinds();     ///< zstd frames that are not what they should be
std::vector<Kind> index_kinds();     ///< indices that lie
std::vector<Kind> manifest_kinds();  ///< manifests that are of something else, or of nothing
std::vector<Kind> patch_kinds();     ///< patches from the good release that make something else; their layers are right
std::vector<ChannelKind> channel_kinds();

/// A release without any fault, by the same means.
Forged honest_release(const Base& base, const std::string& release);

}  // namespace berth::forge
