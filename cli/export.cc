#include <filesystem>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/on_nodes.h"
#include "cli/output/text.h"
#include "cli/repository_source.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

struct ExportOptions {
  std::string release, output;
  RepositoryLocation repository;
};

/// What this node's berthd reads, and in which environment; the rest of what was said stays.
Result<void> take_from_node(const Console& console, ReleaseRef& ref, RepositoryLocation& repository) {
  BERTH_CHECK(check_is_here(console, "berth export", "the repository's root"));
  BERTH_TRY(const auto status, ApiClient(console).get("/v1/status"));
  const auto* node = member(status, "repository");
  if (node == nullptr || text_of(*node, "url").empty())
    return fail(Errc::not_found, "berth export: this node has no [repository] url; say where the release is: --repo DIR|URL");
  const std::string environment = text_of(status, "environment");
  if (!ref.environment.empty() && ref.environment != environment)
    return fail(Errc::usage, fmt::format("berth export: this node runs {}, not {}; name the repository with --repo", environment, ref.environment));
  ref.environment = environment;
  repository.at = text_of(*node, "url");
  if (repository.root.empty()) repository.root = text_of(*node, "root");
  for (const auto& [file, key] : {std::pair(&repository.tls.ca_file, "ca_file"), std::pair(&repository.tls.certificate_file, "certificate_file"),
                                  std::pair(&repository.tls.key_file, "key_file")})
    if (file->empty()) *file = text_of(*node, key);
  return {};
}

Result<Exit> export_release(const Console& console, const ExportOptions& options) {
  BERTH_TRY(auto ref, release_argument(options.release, "export"));
  RepositoryLocation repository = options.repository;
  repository.tell = console.teller();
  BERTH_CHECK(take_configuration(repository));
  if (repository.at.empty()) BERTH_CHECK(take_from_node(console, ref, repository));
  if (ref.environment.empty())
    return fail(Errc::usage, fmt::format("berth export: say of which environment, as in {}/production@{}", ref.app, ref.release));
  const std::string output = options.output.empty() ? fmt::format("{}-{}.berth", ref.app, ref.release) : options.output;
  if (output == "-") return fail(Errc::usage, "berth export: -o -: it writes a file, and none to stdout; name one");
  const auto folder = std::filesystem::absolute(output).parent_path();
  if (std::error_code error; !std::filesystem::is_directory(folder, error))
    return fail(Errc::not_found, fmt::format("berth export: {}: there is no folder {}: make it, or name another file", output, folder.string()));
  BERTH_TRY(const auto opened, open_repository(repository));
  const auto exported = release_file::export_release(opened.source(), ref, output);
  // What is the matter with the file is not the repository's.
  if (!exported && exported.error().message.find(output) != std::string::npos) return fail(exported.error().code, "berth export: " + exported.error().message);
  if (!exported) return std::unexpected(of_repository(exported.error(), repository.at));
  if (console.json) {
    console.document({{"file", output}, {"app", ref.app}, {"environment", ref.environment}, {"release", ref.release}, {"bytes", exported->bytes}});
    return Exit::ok;
  }
  console.line(fmt::format("{}: {}, {}, verified and with all that proves it", output, to_string(ref), bytes_text(exported->bytes)));
  console.note(fmt::format("On a node without a network: berth deploy {}", output));
  return Exit::ok;
}

}  // namespace

Verb export_verb() {
  auto o = std::make_shared<ExportOptions>();
  std::vector<Option> options{{"-o,--output", "FILE", "the file to make (default: APP-RELEASE.berth); one that is there is not replaced", &o->output, Completes::file}};
  for (Option& option : location_options(o->repository, "the repository's folder or URL (default: the one that berthd of this node reads)")) options.push_back(std::move(option));
  return {
      .name = "export",
      .summary = "Write a release, and all that proves it, to one file",
      .text = "The file is a plain tar: the repository's signed metadata, the manifest, indexes, layers and attachments. Everything is verified on the way. "
              "'berth deploy FILE' takes it on a node that has no network; docs/formats.md shows how to check and read it with tar, zstd, jq and openssl. "
              "Without --repo the release comes from the repository that berthd of this node is configured with.",
      .examples = {"berth export web@v42 -o web-v42.berth", "berth export web/production@v42 --repo ./repo",
                   "berth export web/production@v42 --repo https://releases.example.org/berth --root root.json"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::trust, Exit::conflict}),
      .arguments = {{"APP[/ENV]@RELEASE", "the release", &o->release, Completes::release}},
      .options = std::move(options),
      .action = [o](Console& console) { return export_release(console, *o); },
  };
}

}  // namespace berth::cli
