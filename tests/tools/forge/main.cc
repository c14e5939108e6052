// Publishes hostile releases, validly signed: each breaks one rule of what a release may be, and a node has to refuse it by that rule.
//
//   berth-forge REPOSITORY KEYS
//   berth-forge REPOSITORY KEYS channels
//   berth-forge REPOSITORY KEYS channel RELEASE SERIAL
//
// The first: the repository has a good release web/production/v1, which the forged ones are made after. Prints a JSON list of what was published:
//   [{"app": "web", "release": "path-parent", "path": "../berth-evil", "rule": "…"}, …]
// and, last, `honest`, which is made by the same means and has no fault.
// The second: hostile channels, each `stable` of an app of its own: [{"app": "serial-zero", "rule": "…"}, …].
// The third: signs the channel `stable` of web with any serial, such as one that it had before.

#include <cstdio>
#include <filesystem>

#include <fmt/core.h>

#include "core/bundle/channel.h"
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
  // And another app's role, signed with the key of blog's.
  BERTH_CHECK(signer.delegate("shop", "shop/*/*.json", {{"shop/production/signed-by-blog.json", of_web.manifest}}, "blog"));
  return json::array{
      json::object{{"app", "shop"}, {"release", "signed-by-blog"}, {"path", "shop.json"}, {"rule", "0 of its role's 1 keys signed it"}, {"exit", 4}},
      json::object{{"app", "web"}, {"release", "delegate-of-blog"}, {"path", "delegate-of-blog"}, {"rule", "no such release"}, {"exit", 3}},
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

Result<json::array> publish_channels(const fs::path& repository, const fs::path& keys) {
  BERTH_TRY(Signer signer, Signer::open(repository, keys));
  json::array published;
  for (const ChannelKind& kind : channel_kinds()) {
    signer.add_target(bundle::channel_target(kind.app, "production", "stable"), kind.text);
    published.push_back(json::object{{"app", kind.app}, {"rule", kind.rule}});
  }
  const bundle::Channel channel{.app = "signed-by-blog", .environment = "production", .channel = "stable", .release = "v1", .serial = 1};
  BERTH_CHECK(signer.delegate("blog", "blog/*/channels/*.json", {}));
  BERTH_CHECK(signer.delegate(channel.app, channel.app + "/*/channels/*.json",
                              {{bundle::channel_target(channel.app, channel.environment, channel.channel), bundle::to_canonical_json(channel)}}, "blog"));
  published.push_back(json::object{{"app", channel.app}, {"rule", "0 of its role's 1 keys signed it"}});
  BERTH_CHECK(signer.publish());
  return published;
}

Result<json::array> publish_channel(const fs::path& repository, const fs::path& keys, const std::string& release, const std::string& serial) {
  BERTH_TRY(Signer signer, Signer::open(repository, keys));
  const bundle::Channel channel{.app = "web", .environment = "production", .channel = "stable", .release = release, .serial = std::stoll(serial)};
  signer.add_target(bundle::channel_target(channel.app, channel.environment, channel.channel), bundle::to_canonical_json(channel));
  BERTH_CHECK(signer.publish());
  return json::array{json::object{{"app", channel.app}, {"release", release}}};
}

Result<json::array> run(const std::vector<std::string>& words) {
  if (words.size() == 2) return publish_all(words[0], words[1]);
  if (words.size() == 3 && words[2] == "channels") return publish_channels(words[0], words[1]);
  if (words.size() == 5 && words[2] == "channel") return publish_channel(words[0], words[1], words[3], words[4]);
  return fail(Errc::usage, "usage: berth-forge REPOSITORY KEYS [channels | channel RELEASE SERIAL]");
}

}  // namespace
}  // namespace berth::forge

int main(int count, char** arguments) {
  const auto published = berth::forge::run({arguments + 1, arguments + count});
  if (!published) {
    fmt::print(stderr, "berth-forge: {}\n", published.error().message);
    return 1;
  }
  fmt::print("{}\n", berth::json::text(*published));
  return 0;
}
