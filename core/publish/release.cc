#include "core/publish/release.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/bundle/tree.h"
#include "core/publish/blob_folder.h"
#include "core/publish/contents.h"
#include "core/publish/patches.h"
#include "core/publish/placeholders.h"
#include "core/publish/publisher.h"

namespace berth::publish {
namespace {

/// The berthd that is the first to read this format.
constexpr const char* kRequiresBerthd = "0.1.0";
constexpr int kConfigLevel = 9;
constexpr std::size_t kMostAttachment = 64u << 20;
constexpr std::size_t kLongestBuilder = 200;  // as in a manifest

/// The configuration layer, in a folder of its own until it is in the repository.
struct ConfigLayer {
  files::TemporaryDirectory folder;
  bundle::LayerRef ref;
  std::string index;

  fs::path blob() const { return folder.path() / "config.tar.zst"; }
};

/// The environment's files, each name as it is: what begins with a dot is configuration too.
Result<std::vector<bundle::Entry>> list_files(const Environment& environment, std::vector<std::string>& notes) {
  std::error_code error;
  if (!fs::exists(environment.files(), error)) return std::vector<bundle::Entry>();
  BERTH_TRY(bundle::Tree tree, bundle::list_tree(environment.files()));
  notes = std::move(tree.notes);
  return std::move(tree.entries);
}

Result<void> write_config(ConfigLayer& config, const Environment& environment, const std::vector<bundle::Entry>& entries) {
  const fs::path root = entries.empty() ? config.folder.path() : environment.files();
  BERTH_TRY(const auto written, bundle::write_layer(root, entries, config.blob(), kConfigLevel));
  config.ref = written.ref;
  config.index = bundle::to_canonical_json(written.index);
  return {};
}

/// "build 1e8156f790a9, made at 2026-07-27T10:15:00Z"
std::string build_text(const Draft& draft) {
  if (draft.builds.empty()) return {};
  return fmt::format("build {}{}", short_digest(draft.builds.begin()->second.digest), draft.made.empty() ? "" : ", made at " + draft.made);
}

Result<std::string> choose_id(const ReleaseOptions& options, const std::vector<bundle::Manifest>& releases, const std::vector<std::string>& dropped,
                              const std::string& app, const std::string& environment, trust::WallTime now) {
  std::string id = options.id;
  if (options.id_rule == IdRule::next) id = next_id(releases, dropped);
  if (options.id_rule == IdRule::timestamp) {
    id = trust::to_string(now);
    std::erase_if(id, [](char c) { return c == '-' || c == ':'; });
  }
  if (!is_release_id(id))
    return fail(Errc::usage, fmt::format("release id '{}': must be 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', a letter or digit first", id));
  if (std::ranges::find(releases, id, &bundle::Manifest::release) != releases.end())
    return fail(Errc::exists,
                fmt::format("{}/{}@{} exists, and an id is never used again; the next one is {}", app, environment, id, next_id(releases, dropped)));
  if (std::ranges::find(dropped, id) != dropped.end())
    return fail(Errc::exists, fmt::format("{}/{}@{} was the id of a release that has been dropped, and an id is never used again, since nodes may have that "
                                          "release still; the next one is {}",
                                          app, environment, id, next_id(releases, dropped)));
  return id;
}

/// Copies what the release needs into the repository.
Result<std::uint64_t> add_blobs(const BlobFolder& blobs, const Draft& draft, const ConfigLayer& config) {
  std::uint64_t bytes = 0;
  const auto add = [&](const bundle::BlobRef& ref) -> Result<void> {
    const auto file = draft.blobs.find(ref.sha256);
    if (file == draft.blobs.end()) {
      if (blobs.has(ref)) return {};
      return fail(Errc::trust, fmt::format("blob {} of {} bytes is not in the repository, and only there it would be; 'berth repo verify' tells whose it is",
                                           ref.sha256, ref.size));
    }
    BERTH_TRY(const auto written, blobs.add(ref, file->second));
    bytes += written;
    return {};
  };
  for (const auto& [platform, build] : draft.builds) {
    BERTH_CHECK(add(build.layer.blob));
    BERTH_CHECK(add(build.layer.index));
    for (const bundle::PatchRef& patch : build.patches) BERTH_CHECK(add(patch.blob));
  }
  for (const bundle::Attachment& attachment : draft.attachments) BERTH_CHECK(add(attachment.blob));
  BERTH_TRY(const auto layer, blobs.add(config.ref.blob, config.blob()));
  BERTH_TRY(const auto index, blobs.add_bytes(config.ref.index, config.index));
  return bytes + layer + index;
}

/// A file that travels with a release, read.
struct Attached {
  bundle::Attachment attachment;
  std::string content;
};

Result<std::vector<Attached>> read_attachments(const std::vector<fs::path>& paths) {
  std::vector<Attached> attached;
  for (const fs::path& path : paths) {
    auto content = files::read(path, kMostAttachment);
    if (!content) return fail(Errc::usage, "attachment: " + content.error().message);
    const bundle::BlobRef blob = blob_of(*content);
    attached.push_back({.attachment = {.name = path.filename(), .blob = blob}, .content = std::move(*content)});
  }
  return attached;
}

/// What the draft carries already, and what is given now, by name; the manifest's own rules find what is given twice.
Result<std::vector<bundle::Attachment>> all_attachments(const Draft& draft, const std::vector<Attached>& given) {
  std::vector<bundle::Attachment> all = draft.attachments;
  for (const Attached& one : given) {
    const auto carried = std::ranges::find(draft.attachments, one.attachment.name, &bundle::Attachment::name);
    if (carried == draft.attachments.end()) {
      all.push_back(one.attachment);
    } else if (carried->blob != one.attachment.blob) {
      return fail(Errc::usage, fmt::format("attachment {}: the release carries another file of this name (SHA-256 {}) with its build, and keeps it; give "
                                           "this one another name",
                                           one.attachment.name, carried->blob.sha256));
    }
  }
  std::ranges::sort(all, {}, &bundle::Attachment::name);
  return all;
}

std::string commit_text(const std::string& commit) { return commit.empty() ? "one that is not known" : commit; }

/// Each once; of more than a manifest has room for, how many more there are.
std::string builders_of(const std::vector<Build>& builds) {
  std::vector<std::string> names;
  for (const Build& build : builds)
    if (!build.builder.empty() && std::ranges::find(names, build.builder) == names.end()) names.push_back(build.builder);
  std::string all = fmt::format("{}", fmt::join(names, ", "));
  if (all.size() <= kLongestBuilder) return all;
  const std::string more = fmt::format(" and {} more", names.size() - 1);
  return names.front().size() + more.size() <= kLongestBuilder ? names.front() + more : names.front();
}

bundle::Manifest manifest_of(const Draft& draft, const Environment& environment, const Configuration& configuration, const ConfigLayer& config) {
  bundle::Manifest manifest;
  manifest.app = draft.spec.app;
  manifest.environment = environment.name;
  manifest.builds = draft.builds;
  manifest.config = config.ref;
  manifest.spec = draft.spec;
  manifest.variables = configuration.variables;
  manifest.secrets = configuration.secrets;
  manifest.requires_berthd = kRequiresBerthd;
  manifest.commit = draft.commit;
  manifest.builder = draft.builder;
  return manifest;
}

}  // namespace

Result<Draft> draft_of(const BuildStore& store, const std::vector<Build>& builds, const std::string& commit) {
  Draft draft{.spec = builds.front().spec, .commit = commit.empty() ? builds.front().commit : commit, .builder = builders_of(builds),
              .made = builds.front().created};
  for (const Build& build : builds) {
    if (commit.empty() && build.commit != draft.commit)
      return fail(Errc::usage, fmt::format("builds {} ({}) and {} ({}) are of different commits: {} and {}; builds of one release are made of one commit. "
                                           "--commit says which, where they are all the same",
                                           short_digest(builds.front().ref.digest), builds.front().platform, short_digest(build.ref.digest), build.platform,
                                           commit_text(draft.commit), commit_text(build.commit)));
    if (build.spec != draft.spec)
      return fail(Errc::usage, fmt::format("builds {} and {} have different specs; builds of one release are made of one berth.toml",
                                           short_digest(builds.front().ref.digest), short_digest(build.ref.digest)));
    const auto [other, is_new] = draft.builds.emplace(build.platform, build.ref);
    if (!is_new)
      return fail(Errc::usage, fmt::format("builds {} and {} are both for {}; a release has one for each platform",
                                           short_digest(other->second.digest), short_digest(build.ref.digest), build.platform));
    draft.blobs.emplace(build.ref.layer.blob.sha256, store.layer_of(build.ref.digest));
    draft.blobs.emplace(build.ref.layer.index.sha256, store.index_of(build.ref.digest));
  }
  return draft;
}

Draft draft_of(const bundle::Manifest& released) {
  return {.spec = released.spec,
          .builds = released.builds,
          .commit = released.commit,
          .builder = released.builder,
          .made = {},
          .attachments = released.attachments,
          .blobs = {}};
}

namespace {

/// Whether a node would run the same by both: builds, files, variables, secrets, spec and what travels with them.
bool says_the_same(const bundle::Manifest& one, const bundle::Manifest& other) {
  const auto same_build = [](const auto& here, const auto& there) { return here.first == there.first && here.second.digest == there.second.digest; };
  return std::ranges::equal(one.builds, other.builds, same_build) && one.config == other.config && one.spec == other.spec && one.variables == other.variables &&
         one.secrets == other.secrets && one.attachments == other.attachments;
}

}  // namespace

Result<Published> publish_release(const Repository& repository, Draft draft, const Environment& environment, const ReleaseOptions& options) {
  const std::string app = draft.spec.app;
  BERTH_TRY(const Configuration configuration, configure(environment, draft.spec, build_text(draft)));
  BERTH_CHECK(check_commands_have_values(draft.spec, configuration, environment.name));
  Published published;
  BERTH_TRY(const auto attached, read_attachments(options.attachments));
  BERTH_TRY(auto attachments, all_attachments(draft, attached));
  BERTH_TRY(const auto entries, list_files(environment, published.notes));
  if (!entries.empty()) BERTH_CHECK(check_templates(environment.files(), entries, draft.spec, configuration));
  ConfigLayer config;
  BERTH_CHECK(write_config(config, environment, entries));
  const files::TemporaryDirectory patches;
  std::ranges::move(add_patches(draft, repository.folder, environment.name, options.patches, patches.path()), std::back_inserter(published.notes));

  // Holds the repository from here on: the id is still free when its metadata is signed.
  BERTH_TRY(auto publisher, Publisher::open(repository, app, environment.name));
  BERTH_TRY(const auto releases, read_releases(publisher.folders(), publisher.state(), app, environment.name));
  published.manifest = manifest_of(draft, environment, configuration, config);
  bundle::Manifest& manifest = published.manifest;
  BERTH_TRY(manifest.release, choose_id(options, releases, dropped_ids(publisher.state(), app, environment.name), app, environment.name,
                                                repository.now()));
  manifest.previous = newest_release(releases);
  manifest.created = trust::to_string(repository.now());

  manifest.attachments = std::move(attachments);
  const auto before = std::ranges::find(releases, manifest.previous, &bundle::Manifest::release);
  if (before != releases.end() && says_the_same(manifest, *before))
    published.notes.push_back(fmt::format("{} is as {} is: the same build with the same configuration", manifest.release, before->release));
  const std::string text = bundle::to_canonical_json(manifest);
  // What a node would refuse is not published.
  if (const auto readable = bundle::parse_manifest(text); !readable) return fail(Errc::usage, readable.error().message);

  const BlobFolder blobs = publisher.blobs();
  BERTH_TRY(published.new_bytes, add_blobs(blobs, draft, config));
  for (const Attached& one : attached) {
    BERTH_TRY(const auto written, blobs.add_bytes(one.attachment.blob, one.content));
    published.new_bytes += written;
  }
  BERTH_CHECK(publisher.add_targets({{bundle::target_name(app, environment.name, manifest.release), text}}));
  published.role = publisher.role();
  published.handed_in = publisher.handed_in();
  published.missing_signatures = publisher.missing_signatures();
  return published;
}

}  // namespace berth::publish
