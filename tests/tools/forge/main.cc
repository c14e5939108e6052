// Publishes hostile releases, validly signed: each breaks one rule of what a release may be, and a node has to refuse it by that rule.
//
//   berth-forge REPOSITORY KEYS
//
// The repository has a good release web/production/v1, which the forged ones are made after. Prints a JSON list of what was published:
//   [{"app": "web", "release": "path-parent", "path": "../berth-evil", "rule": "…"}, …]
// and, last, `honest`, which is made by the same means and has no fault.

#include <cstdio>
#include <filesystem>

#include <fmt/core.h>

#include "core/files/files.h"
#include "tests/tools/forge/parts.h"
#include "tests/tools/forge/signer.h"

namespace berth::forge {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFile = 64u << 20;

/// The file of the target web/production/v1.json.
Result<std::string> read_base(const fs::path& repository) {
  for (const auto& one : fs::directory_iterator(repository / "targets" / "web" / "production"))
    if (one.path().string().ends_with(".v1.json")) return files::read(one.path(), kMostFile);
  return fail(Errc::not_found, "there is no release web/production/v1");
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> all;
  for (const auto& some : {path_kinds(), type_kinds(), header_kinds(), tree_kinds(), frame_kinds(), index_kinds(), manifest_kinds(), patch_kinds()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

/// A release signed by somebody who may sign for the app `blog` only: in the name of web it does not exist, and in that of blog it is not blog's.
Result<json::array> publish_delegated(Signer& signer, const Base& base) {
  const Forged of_web = honest_release(base, "delegate-of-blog");
  for (const auto& [sha256, bytes] : of_web.blobs) signer.add_blob(sha256, bytes);
  BERTH_CHECK(signer.delegate("blog", "blog/*/*.json",
                              {{"web/production/delegate-of-blog.json", of_web.manifest}, {"blog/production/delegate-of-blog.json", of_web.manifest}}));
  return json::array{json::object{{"app", "web"}, {"release", "delegate-of-blog"}, {"path", "delegate-of-blog"}, {"rule", "no such release"}, {"exit", 3}},
                     json::object{{"app", "blog"}, {"release", "delegate-of-blog"}, {"path", "'web'"}, {"rule", "another app"}, {"exit", 4}}};
}

Result<json::array> publish_all(const fs::path& repository, const fs::path& keys) {
  BERTH_TRY(const std::string text, read_base(repository));
  Base base;
  BERTH_TRY(base.manifest, bundle::parse_manifest(text));
  BERTH_TRY(base.program, files::read(BERTH_TESTAPP, kMostFile));
  BERTH_TRY(Signer signer, Signer::open(repository, keys));
  json::array published;
  const auto publish = [&](const Kind& kind) {
    const Forged forged = kind.make(base, kind.release);
    const std::string app = forged.app.empty() ? "web" : forged.app;
    for (const auto& [sha256, bytes] : forged.blobs) signer.add_blob(sha256, bytes);
    signer.add_target(bundle::target_name(app, "production", kind.release), forged.manifest);
    published.push_back(json::object{{"app", app}, {"release", kind.release}, {"path", kind.path}, {"rule", kind.rule}, {"exit", 4}});
  };
  for (const Kind& kind : all_kinds()) publish(kind);
  BERTH_TRY(const json::array delegated, publish_delegated(signer, base));
  published.insert(published.end(), delegated.begin(), delegated.end());
  publish({.release = "honest", .path = "", .rule = "", .make = honest_release});
  published.back().as_object()["exit"] = 0;
  BERTH_CHECK(signer.publish());
  return published;
}

}  // namespace
}  // namespace berth::forge

int main(int count, char** arguments) {
  if (count != 3) {
    fmt::print(stderr, "usage: berth-forge REPOSITORY KEYS\n");
    return 2;
  }
  const auto published = berth::forge::publish_all(arguments[1], arguments[2]);
  if (!published) {
    fmt::print(stderr, "berth-forge: {}\n", published.error().message);
    return 1;
  }
  fmt::print("{}\n", berth::json::text(*published));
  return 0;
}
