#include <memory>

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include <fmt/core.h>

#include "cli/output/text.h"
#include "cli/publishing.h"
#include "cli/verbs.h"
#include "core/publish/make_build.h"

namespace berth::cli {
namespace {

struct BuildOptions {
  std::string source, version, commit, builder, platform, spec, app, tag;
};

/// "ci@build-7": who this is, for the record.
std::string this_builder() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const passwd* user = ::getpwuid(::geteuid());
  return fmt::format("{}@{}", user == nullptr ? fmt::format("{}", ::geteuid()) : std::string(user->pw_name), host.data());
}

Result<Exit> build(const Console& console, const BuildOptions& options) {
  BERTH_TRY(const auto store, publish::BuildStore::of_user());
  publish::BuildOptions how{.version = options.version,
                            .builder = options.builder,
                            .platform = options.platform,
                            .spec = options.spec,
                            .app = options.app,
                            .tag = options.tag};
  if (!options.commit.empty()) how.commit = options.commit;
  const char* builder = std::getenv("BERTH_BUILDER");
  if (how.builder.empty()) how.builder = builder != nullptr ? builder : this_builder();
  BERTH_TRY(const auto made, publish::make_build(store, options.source, how, std::chrono::system_clock::now()));

  const publish::Build& it = made.build;
  if (console.json) {
    auto told = build_json(it);
    told["files"] = made.files;
    told["bytes"] = made.bytes;
    told["already"] = made.already;
    told["notes"] = boost::json::array(made.notes.begin(), made.notes.end());
    console.document(told);
    return Exit::ok;
  }
  for (const std::string& note : made.notes) console.warn(note);
  const std::string version = it.ref.version.empty() ? "" : it.ref.version + " ";
  const std::string already = made.already ? "; the store had it already" : "";
  console.line(fmt::format("{}: build {}{} for {}: {}, {} ({} compressed){}", it.spec.app, version, publish::short_digest(it.ref.digest),
                           it.platform, count_text(made.files, "file"), bytes_text(made.bytes), bytes_text(it.ref.layer.blob.size), already));
  console.note(fmt::format("Next: berth release {} --env NAME --repo DIR", it.spec.app));
  return Exit::ok;
}

}  // namespace

Verb build_verb() {
  auto o = std::make_shared<BuildOptions>();
  return {
      .name = "build",
      .summary = "Make a build of a folder, an archive, a container image, or one executable",
      .text =
          "The build goes into the local store ($XDG_DATA_HOME/berth or ~/.local/share/berth) under its digest, which is the same for the same tree "
          "on any machine, "
          "and is the latest of its app from then on; older ones stay. It holds the tree without what .berthignore names, and never environments/, "
          ".env or .git: "
          "configuration joins it in 'berth release'. SOURCE is, by its content: a folder with a berth.toml, or a ZIP or tar of one; an OCI image "
          "layout (folder or tar) or what 'docker save' wrote; or an ELF program or script. An image's command, working folder, environment, port, "
          "health check and stop signal, and an executable's command, are what berth.toml need not say: --spec gives one, and --app the name "
          "where there is none. "
          "Processes of an image see its tree as their root.",
      .examples = {"berth build ./site", "berth build site-1.4.2.tar.gz --version 1.4.2", "berth build web.tar --spec berth.toml # from docker save",
                   "berth build ./layout --app web --platform linux/arm64", "berth build target/release/server --app web"},
      .exits = {Exit::failed, Exit::not_found, Exit::permission},
      .arguments = {{"SOURCE", "what the build is made of", &o->source, Completes::file}},
      .options = {{"--spec", "FILE", "a berth.toml that lies elsewhere", &o->spec, Completes::file},
                  {"--app", "NAME", "the app, where there is no berth.toml (default: an executable's own name)", &o->app},
                  {"--tag", "NAME", "which image, where there are several", &o->tag},
                  {"--version", "TEXT", "what people call it, such as 1.4.2", &o->version},
                  {"--commit", "ID", "where it comes from (default: what git has checked out there, with -dirty where that was changed)", &o->commit},
                  {"--builder", "TEXT", "who made it (default: $BERTH_BUILDER, else user@host)", &o->builder},
                  {"--platform", "NAME", "linux/amd64, linux/arm64 or any (default: seen from its programs; of an image, this machine's)", &o->platform, Completes::nothing, "linux/amd64 linux/arm64 any"}},
      .action = [o](Console& console) { return build(console, *o); },
  };
}

}  // namespace berth::cli
