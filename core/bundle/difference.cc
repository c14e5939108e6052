#include "core/bundle/difference.h"

#include <map>

#include <fmt/core.h>

#include "core/json/json.h"

namespace berth::bundle {
namespace {

using Values = std::map<std::string, std::string>;

/// The leaves of a JSON value by their places; a list is one leaf.
void flatten(const json::value& value, const std::string& place, Values& into) {
  if (!value.is_object() || value.get_object().empty()) {
    into[place] = json::text(value);
    return;
  }
  for (const auto& [key, member] : value.get_object()) flatten(member, place.empty() ? std::string(key) : place + "." + std::string(key), into);
}

Values flat(const spec::AppSpec& spec) {
  Values values;
  flatten(spec::to_json(spec), {}, values);
  return values;
}

std::string text_of(const Entry& entry) {
  switch (entry.type) {
    case EntryType::directory: return "a folder";
    case EntryType::symlink: return "a link to " + entry.target;
    case EntryType::file: break;
  }
  return fmt::format("{} bytes, {:04o}, {}", entry.size, entry.mode, entry.sha256);
}

Values by_path(const std::vector<Entry>& entries) {
  Values values;
  for (const Entry& entry : entries) values[entry.path] = text_of(entry);
  return values;
}

class Differences {
 public:
  void compare(const std::string& what, const Values& before, const Values& after) {
    for (auto old = before.begin(), now = after.begin(); old != before.end() || now != after.end();) {
      if (now == after.end() || (old != before.end() && old->first < now->first)) {
        changes_.push_back({Change::Kind::removed, what, old->first, old->second, {}});
        ++old;
      } else if (old == before.end() || now->first < old->first) {
        changes_.push_back({Change::Kind::added, what, now->first, {}, now->second});
        ++now;
      } else {
        if (old->second != now->second) changes_.push_back({Change::Kind::changed, what, now->first, old->second, now->second});
        ++old, ++now;
      }
    }
  }
  void compare(const std::string& what, const std::string& before, const std::string& after) {
    if (before != after) changes_.push_back({Change::Kind::changed, what, {}, before, after});
  }
  std::vector<Change> take() { return std::move(changes_); }

 private:
  std::vector<Change> changes_;
};

Values attachments_of(const Manifest& manifest) {
  Values values;
  for (const Attachment& one : manifest.attachments) values[one.name] = one.blob.sha256;
  return values;
}

}  // namespace

std::vector<Change> difference(const Side& from, const Side& to) {
  Differences found;
  found.compare("build", from.build.digest, to.build.digest);
  found.compare("version", from.build.version, to.build.version);
  found.compare("commit", from.manifest.commit, to.manifest.commit);
  found.compare("builder", from.manifest.builder, to.manifest.builder);
  found.compare("requires_berthd", from.manifest.requires_berthd, to.manifest.requires_berthd);
  found.compare("variable", from.manifest.variables, to.manifest.variables);
  found.compare("secret", from.manifest.secrets, to.manifest.secrets);
  found.compare("spec", flat(from.manifest.spec), flat(to.manifest.spec));
  found.compare("configuration", by_path(from.config), by_path(to.config));
  found.compare("file", by_path(from.app), by_path(to.app));
  found.compare("attachment", attachments_of(from.manifest), attachments_of(to.manifest));
  return found.take();
}

}  // namespace berth::bundle
