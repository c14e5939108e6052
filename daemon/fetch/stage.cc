#include <algorithm>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bundle/tree.h"
#include "core/files/files.h"
#include "core/ids.h"
#include "daemon/fetch/chunked_file.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/linked_files.h"
#include "daemon/fetch/space.h"
#include "daemon/fetch/unpack_layer.h"

namespace berth::fetch {
namespace {

/// A layer on its way.
struct Part {
  std::string folder;  ///< in the slot
  std::string name;    ///< for people
  bundle::LayerRef ref;
  bundle::LayerIndex index{};
  LinkPlan plan{};
  fs::path blob{};  ///< empty: nothing of it is needed

  /// Whether some file of it is on no slot of this node.
  bool needs_blob() const {
    const auto is_new = [this](const bundle::Entry& entry) { return entry.type == bundle::EntryType::file && !plan.paths.contains(entry.path); };
    return std::ranges::any_of(index.entries, is_new);
  }
  std::uint64_t space() const { return space_of_tree(index) + ref.index.size - plan.bytes + (needs_blob() ? ref.blob.size : 0); }
};

class Staging {
 public:
  Staging(Repository& repository, const Resolved& release, const fs::path& folder, const StageOptions& options, Progress& progress,
          std::stop_token stop)
      : repository_(repository), release_(release), folder_(folder), options_(options), progress_(progress), stop_(std::move(stop)) {}

  Result<Staged> run(const std::function<void(StagePhase)>& phase) {
    // Nobody passes through while a worker's files lie in there, not even another process of its user.
    if (::chmod(folder_.c_str(), 0700) != 0) return fail_errno("chmod " + folder_.string());
    phase(StagePhase::fetching);
    for (Part& part : parts_) BERTH_CHECK(named(part, look_up(part)));
    BERTH_CHECK(check_space(folder_, parts_[0].space() + parts_[1].space(), options_.reserve_bytes));
    for (Part& part : parts_) BERTH_CHECK(named(part, fetch(part)));
    phase(StagePhase::unpacking);
    for (Part& part : parts_) BERTH_CHECK(named(part, unpack(part)));
    BERTH_CHECK(write_sealed("manifest.json", release_.manifest_text));
    if (::chmod(folder_.c_str(), 0755) != 0) return fail_errno("chmod " + folder_.string());
    return staged_;
  }

 private:
  static Result<void> named(const Part& part, Result<void> result) {
    if (!result) return pass(std::move(result.error()), part.name);
    return result;
  }

  /// The signed index, and what of the layer is here already.
  Result<void> look_up(Part& part) {
    auto text = repository_.small_blob(part.ref.index, bundle::kLargestIndex, stop_);
    if (!text) return pass(std::move(text.error()), "its index");
    staged_.fetched_bytes += text->size();
    BERTH_TRY(part.index, bundle::parse_index(*text, part.ref));
    BERTH_TRY(part.plan, plan_links(part.index.entries, options_.sealed_slots, part.folder, stop_));
    staged_.tree_bytes += bundle::total_size(part.index.entries);
    BERTH_CHECK(write_sealed(part.folder + ".index.json", *text));
    if (part.needs_blob()) progress_.bytes_total += part.ref.blob.size;
    return {};
  }

  Result<void> fetch(Part& part) {
    if (!part.needs_blob()) return {};
    const fs::path blob = folder_ / (part.folder + ".tar.zst");
    BERTH_CHECK(repository_.blob(part.ref.blob, part.index.chunks, blob, progress_, stop_));
    part.blob = blob;
    staged_.fetched_bytes += part.ref.blob.size;
    return {};
  }

  Result<void> unpack(const Part& part) {
    BERTH_CHECK(unpack_layer(part.index, part.blob, part.plan, folder_ / part.folder, options_, stop_));
    if (!part.blob.empty() && ::unlink(part.blob.c_str()) != 0) return fail_errno("remove " + part.blob.string());
    return {};
  }

  /// What is signed for stays beside the trees, so that they can be compared with it at any time.
  Result<void> write_sealed(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    BERTH_TRY(const Fd file, files::open(path, O_WRONLY | O_CREAT | O_EXCL, 0444));
    BERTH_CHECK(files::write_all(file.get(), text, path.string()));
    if (::fchmod(file.get(), 0444) != 0) return fail_errno("seal " + path.string());
    staged_.tree_bytes += text.size();
    return {};
  }

  Repository& repository_;
  const Resolved& release_;
  const fs::path& folder_;
  const StageOptions& options_;
  Progress& progress_;
  std::stop_token stop_;
  Staged staged_;
  Part parts_[2] = {
      {.folder = "app", .name = "layer " + short_hash(release_.build.layer.blob.sha256), .ref = release_.build.layer},
      {.folder = "config", .name = "config layer " + short_hash(release_.manifest.config.blob.sha256), .ref = release_.manifest.config}};
};

}  // namespace

Result<Staged> stage(Repository& repository, const Resolved& release, const fs::path& staging, const StageOptions& options, Progress& progress,
                     const std::function<void(StagePhase)>& phase, std::stop_token stop) {
  const bundle::Manifest& manifest = release.manifest;
  auto staged = Staging(repository, release, staging, options, progress, std::move(stop)).run(phase);
  if (staged) return staged;
  return pass(std::move(staged.error()),
              to_string(ReleaseRef{.app = manifest.app, .environment = manifest.environment, .release = manifest.release}));
}

}  // namespace berth::fetch
