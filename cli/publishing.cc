#include "cli/publishing.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/output/text.h"
#include "cli/repo_status.h"
#include "core/files/files.h"

namespace berth::cli {

namespace fs = std::filesystem;

Option repository_option(std::string& into) {
  return {.names = "--repo", .value = "DIR", .help = "the repository's folder", .into = &into, .completes = Completes::folder};
}

Result<crypto::PublicKey> read_public_key(const std::string& file) {
  BERTH_TRY(const std::string pem, files::read(file, 1u << 16));
  auto key = crypto::PublicKey::from_pem(pem);
  if (!key) return fail(Errc::usage, fmt::format("{}: is no public key in PEM ({}); make one by 'openssl pkey -pubout'", file, key.error().message));
  return key;
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

Option incoming_option(std::string& into) {
  return {.names = "--incoming", .value = "DIR", .help = "where delegated roles hand in (default: incoming/ in the repository)", .into = &into,
          .completes = Completes::folder, .rare = true};
}

Option environments_option(std::string& into) {
  return {.names = "--environments", .value = "DIR", .help = "where the environments' configuration lies (default: ./environments)", .into = &into,
          .completes = Completes::folder};
}

fs::path keys_beside(const fs::path& repository) {
  std::string folder = fs::absolute(repository).lexically_normal().string();
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  return folder + "-keys";
}

Result<publish::Repository> publisher_repository(const std::string& verb, const std::string& folder, const SigningOptions& signing,
                                                 const std::string& incoming) {
  if (folder.empty()) return fail(Errc::usage, fmt::format("berth {}: say which repository: --repo DIR; 'berth repo init DIR' makes one", verb));
  BERTH_TRY(auto keys, keyring_of(signing, folder));
  BERTH_TRY(const auto wait, wait_of(signing));
  return publish::Repository{.folder = folder, .keys = std::move(keys), .now = std::chrono::system_clock::now, .incoming = incoming, .wait = wait};
}

std::vector<Option> id_options(IdOptions& into) {
  return {{"--id", "ID", "the release's id (default: the next of v1, v2, …); one is never used again, nor is that of a release that was dropped", &into.id},
          {"--timestamp", "", "the moment as its id, such as 20260727T101500Z", &into.timestamp, Completes::nothing, {}, true}};
}

std::vector<Option> patching_options(PatchingOptions& into) {
  std::vector<Option> options{
          {"--patches", "N", "make patches from the last N builds that were released here (default: 3), which nodes fetch instead", &into.builds},
          {"--no-patches", "", "make none", &into.none},
          {"--patch-effort", "fast|best", "how hard to make them small (default: fast; best takes minutes for a large build)", &into.effort, Completes::nothing, "fast best"}};
  for (Option& option : options) option.rare = true;
  return options;
}

namespace {

Result<publish::PatchOptions> patches_of(const std::string& verb, const PatchingOptions& options) {
  publish::PatchOptions patches;
  if (options.none && options.builds) return fail(Errc::usage, fmt::format("berth {}: --patches and --no-patches say two things", verb));
  if (options.builds && (*options.builds < 0 || *options.builds > static_cast<std::int64_t>(bundle::kMostPatches)))
    return fail(Errc::usage, fmt::format("berth {}: --patches {}: 0 to {} builds", verb, *options.builds, bundle::kMostPatches));
  if (options.builds) patches.builds = static_cast<std::size_t>(*options.builds);
  if (options.none) patches.builds = 0;
  if (options.effort == "best") patches.effort = patch::Effort::best;
  else if (!options.effort.empty() && options.effort != "fast")
    return fail(Errc::usage, fmt::format("berth {}: --patch-effort {}: 'fast' or 'best'", verb, options.effort));
  return patches;
}

}  // namespace

Result<publish::ReleaseOptions> release_options(const std::string& verb, const IdOptions& options, const PatchingOptions& patching,
                                                const std::vector<std::string>& attachments) {
  if (options.timestamp && !options.id.empty()) return fail(Errc::usage, fmt::format("berth {}: --id and --timestamp name two ids", verb));
  BERTH_TRY(const auto patches, patches_of(verb, patching));
  publish::ReleaseOptions release{.id = options.id, .attachments = {attachments.begin(), attachments.end()}, .patches = patches};
  if (!options.id.empty()) release.id_rule = publish::IdRule::given;
  if (options.timestamp) release.id_rule = publish::IdRule::timestamp;
  return release;
}

boost::json::object build_json(const publish::Build& build) {
  return {{"build", build.ref.digest},
          {"app", build.spec.app},
          {"version", build.ref.version},
          {"platform", build.platform},
          {"commit", build.commit},
          {"builder", build.builder},
          {"created", build.created},
          {"layer_bytes", build.ref.layer.blob.size}};
}

boost::json::object release_json(const bundle::Manifest& manifest) {
  boost::json::object builds;
  for (const auto& [platform, build] : manifest.builds) {
    boost::json::array patches;
    for (const bundle::PatchRef& patch : build.patches) patches.push_back({{"from", patch.from}, {"bytes", patch.blob.size}});
    builds[platform] = {{"build", build.digest}, {"version", build.version}, {"patches", std::move(patches)}};
  }
  return {{"release", manifest.release}, {"app", manifest.app},         {"environment", manifest.environment}, {"builds", std::move(builds)},
          {"commit", manifest.commit},   {"builder", manifest.builder}, {"created", manifest.created},         {"previous", manifest.previous},
          {"target", bundle::target_name(manifest.app, manifest.environment, manifest.release)}};
}

std::string next_step(const fs::path& handed_in, std::int64_t missing_signatures, const fs::path& repository) {
  const std::string accept = fmt::format("'berth repo accept {}' publishes it", repository.string());
  if (missing_signatures == 0) return fmt::format("Handed in as {}; {}", handed_in.string(), accept);
  return fmt::format("{} needs {} more signature{}: 'berth repo sign {} --key FILE'; then {}", handed_in.string(), missing_signatures,
                     missing_signatures == 1 ? "" : "s", handed_in.string(), accept);
}

void tell_published(const Console& console, const publish::Published& published, const fs::path& repository) {
  const bundle::Manifest& manifest = published.manifest;
  std::vector<std::string> notes = published.notes;
  std::ranges::move(expiry_warnings(repository), std::back_inserter(notes));
  if (console.json) {
    auto told = release_json(manifest);
    told["new_bytes"] = published.new_bytes;
    told["role"] = published.role;
    if (!published.handed_in.empty()) {
      told["handed_in"] = published.handed_in.string();
      told["missing_signatures"] = published.missing_signatures;
    }
    told["notes"] = boost::json::array(notes.begin(), notes.end());
    return console.document(told);
  }
  for (const std::string& note : notes) console.warn(note);
  std::string builds;
  std::size_t patches = 0;
  for (const auto& [platform, build] : manifest.builds) {
    patches += build.patches.size();
    builds += fmt::format("{}{}{} for {}", builds.empty() ? "" : ", ", build.version.empty() ? "" : build.version + " ",
                          publish::short_digest(build.digest), platform);
  }
  console.line(fmt::format("{}/{}@{}: build {}; signed, {} new in {}", manifest.app, manifest.environment, manifest.release, builds,
                           bytes_text(published.new_bytes), repository.string()));
  if (patches > 0) console.note(fmt::format("{} patch{} from earlier builds", patches, patches == 1 ? "" : "es"));
  if (!published.handed_in.empty()) return console.note(next_step(published.handed_in, published.missing_signatures, repository));
  console.note(fmt::format("On a node: berth deploy {}/{}@{}", manifest.app, manifest.environment, manifest.release));
}

}  // namespace berth::cli
