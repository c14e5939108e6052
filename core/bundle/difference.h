#pragma once

#include <string>
#include <vector>

#include "core/bundle/layer.h"
#include "core/bundle/manifest.h"

namespace berth::bundle {

/// A release to be compared: what is signed of it, for one platform.
struct Side {
  const Manifest& manifest;
  const BuildRef& build;
  const std::vector<Entry>& app;
  const std::vector<Entry>& config;
};

/// Something that two releases do not have alike.
struct Change {
  enum class Kind { added, removed, changed };
  Kind kind = Kind::changed;
  std::string what;           ///< "file", "configuration", "variable", "secret", "spec", or a member of the manifest: "commit", "build"
  std::string name;           ///< its path, name or place: "process.web.command"; empty where `what` says it
  std::string before, after;  ///< for people: values, or for files what changed

  bool operator==(const Change&) const = default;
};

/// What of `to` is otherwise than in `from`, by `what` and name. Pure. What every release has of its own (id, time, its predecessor) is no difference.
std::vector<Change> difference(const Side& from, const Side& to);

}  // namespace berth::bundle
