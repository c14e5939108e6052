#include <algorithm>
#include <cerrno>
#include <future>
#include <optional>
#include <set>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bundle/tree.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/ids.h"
#include "daemon/fetch/chunked_file.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/linked_files.h"
#include "daemon/fetch/patch_choice.h"
#include "daemon/fetch/space.h"
#include "daemon/fetch/unpack_layer.h"
#include "daemon/fetch/unpack_patch.h"

namespace berth::fetch {
namespace {

/// A layer on its way.
struct Part {
  std::string folder;  ///< in the slot
  std::string name;    ///< for people
  bundle::LayerRef ref;
  bundle::LayerIndex index{};
  LinkPlan plan{};
  std::optional<PatchChoice> patch{};  ///< instead of the blob
  std::future<Result<LinkPlan>> whole{};  ///< of a patch: what of its slot is as it was sealed, once that was read
  PatchParts parts{};                     ///< of a patch, once the index is known
  fs::path blob{};  ///< of the layer, or of the patch once it is here; empty: nothing of it is needed
  Fd base{};        ///< the patch's scratch file, with the old tar in it

  /// Whether some file of it is on no slot of this node, or has to be made by the patch.
  bool needs_blob() const {
    if (patch) return !parts.made.empty();
    const auto files = std::ranges::count(index.entries, bundle::EntryType::file, &bundle::Entry::type);
    return static_cast<std::size_t>(files) > plan.links.size();
  }
  std::uint64_t space() const {
    const std::uint64_t tree = space_of_tree(index) + ref.index.size;
    if (patch) return tree - parts.alike_size + parts.scratch_size() + patch->ref.blob.size;
    return tree - plan.bytes + (needs_blob() ? ref.blob.size : 0);
  }
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
    choose();
    for (Part& part : parts_) BERTH_CHECK(named(part, look_up(part)));
    BERTH_CHECK(require_space(space()));
    for (Part& part : parts_) BERTH_CHECK(named(part, fetch(part)));
    phase(StagePhase::unpacking);
    for (Part& part : parts_) BERTH_CHECK(named(part, unpack(part)));
    BERTH_CHECK(write_sealed("manifest.json", release_.manifest_text));
    if (::chmod(folder_.c_str(), 0755) != 0) return fail_errno("chmod " + folder_.string());
    staged_.signers = release_.signers;
    return staged_;
  }

  /// What `run` would do.
  Result<StagePlan> foresee() {
    choose();
    StagePlan plan;
    for (Part& part : parts_) BERTH_CHECK(named(part, foresee(part, plan)));
    plan.needed = std::max(plan.needed, parts_[0].space()) + parts_[1].space();
    const std::uint64_t here = come_before();
    if (const auto room = check_space(folder_, plan.needed - std::min(plan.needed, here), options_.reserve_bytes); !room) plan.refused = room.error();
    plan.notes = staged_.notes;
    plan.app = std::move(parts_[0].index);
    plan.config = std::move(parts_[1].index);
    return plan;
  }

  /// Of the configuration alone. Nothing of it is kept: neither links to slots nor what came of its blob are of use to anybody.
  Result<void> run_config() {
    if (::chmod(folder_.c_str(), 0700) != 0) return fail_errno("chmod " + folder_.string());
    Part& part = parts_[1];
    return named(part, stage_alone(part));
  }

 private:
  Result<void> stage_alone(Part& part) {
    BERTH_TRY(const std::string text, index_of(part));
    BERTH_TRY(part.index, bundle::parse_index(text, part.ref));
    BERTH_CHECK(check_space(folder_, part.space(), options_.reserve_bytes));
    if (part.needs_blob()) {
      BERTH_TRY(const std::string layer, repository_.small_blob(part.ref.blob, kLargestConfigLookedAt, stop_));
      part.blob = folder_ / (part.folder + ".tar.zst");
      BERTH_TRY(const Fd file, files::open(part.blob, O_WRONLY | O_CREAT | O_EXCL, 0444));
      BERTH_CHECK(files::write_all(file.get(), layer, part.blob.string()));
    }
    return unpack(part);
  }

  /// The way of the app's layer. A release file holds no patches.
  void choose() {
    if (!repository_.options().offline) parts_[0].patch = choose_patch(release_.build, options_.sealed_slots);
    if (parts_[0].patch) read_slot(parts_[0]);
  }

  std::uint64_t space() const { return parts_[0].space() + parts_[1].space(); }

  static Result<void> named(const Part& part, Result<void> result) {
    if (!result) return pass(std::move(result.error()), part.name);
    return result;
  }

  static const std::string& blob_of(const Part& part) { return part.patch ? part.patch->ref.blob.sha256 : part.ref.blob.sha256; }

  /// Bytes that came of this release's blobs before, and that nobody took yet.
  std::uint64_t come_before() const {
    std::uint64_t here = 0;
    for (const Part& part : parts_)
      if (part.needs_blob() && part.blob.empty()) here += repository_.partial_blobs().size_of(blob_of(part));
    return here;
  }

  /// What came of this release's blobs before is not needed a second time; what came of others gives way to it.
  Result<void> require_space(std::uint64_t needed) {
    needed -= std::min(needed, come_before());
    std::set<std::string> blobs;
    for (const Part& part : parts_) blobs.insert(blob_of(part));
    auto enough = check_space(folder_, needed, options_.reserve_bytes);
    if (enough || enough.error().code != Errc::no_space || repository_.partial_blobs().clear(blobs).bytes == 0) return enough;
    return check_space(folder_, needed, options_.reserve_bytes);
  }

  /// Reads all of the slot that a patch starts from, beside what is done meanwhile. Most files of a new release are those of the one before.
  void read_slot(Part& part) {
    const auto read = [&patch = *part.patch, &part, this] { return plan_links(patch.old, {patch.slot}, part.folder, stop_); };
    part.whole = std::async(std::launch::async | std::launch::deferred, read);
  }

  /// The signed index, and what of the layer is here already.
  Result<void> look_up(Part& part) {
    BERTH_TRY(const std::string text, index_of(part));
    BERTH_CHECK(size_up(part, text));
    staged_.tree_bytes += bundle::total_size(part.index.entries);
    BERTH_CHECK(write_sealed(part.folder + ".index.json", text));
    if (part.needs_blob() && !part.patch) progress_.bytes_total += part.ref.blob.size;
    return {};
  }

  /// What of the layer is here already, as its index tells.
  Result<void> size_up(Part& part, const std::string& index) {
    BERTH_TRY(part.index, bundle::parse_index(index, part.ref));
    if (part.patch) part.parts = parts_of(*part.patch, part.index);
    else BERTH_CHECK(plan(part));
    return {};
  }

  Result<void> plan(Part& part) {
    BERTH_TRY(part.plan, plan_links(part.index.entries, options_.sealed_slots, part.folder, stop_));
    return {};
  }

  /// As `look_up` and `fetch` do, but that the index comes by itself where it is in a patch.
  Result<void> foresee(Part& part, StagePlan& plan) {
    auto text = index_here(part);
    const bool in_patch = !text && part.patch;
    if (!text) {
      auto fetched = repository_.small_blob(part.ref.index, bundle::kLargestIndex, stop_);
      if (!fetched) return pass(std::move(fetched.error()), "its index");
      text = std::move(*fetched);
      if (!in_patch) plan.fetched.push_back({.part = part.folder, .kind = "index", .from = {}, .ref = part.ref.index});
    }
    BERTH_CHECK(size_up(part, *text));
    if (part.patch) {
      const PatchChoice& patch = *part.patch;
      // A patch that was fetched for its index lies there when room for all is looked for.
      plan.needed = part.space() + (in_patch ? patch.ref.blob.size : 0);
      if (in_patch || part.needs_blob())
        plan.fetched.push_back({.part = part.folder, .kind = "patch", .from = patch.slot.filename().string(), .ref = patch.ref.blob});
      auto whole = has_all(part);
      if (whole) return {};
      BERTH_CHECK(give_up_patch(part, std::move(whole.error())));
      BERTH_CHECK(this->plan(part));
    }
    if (part.needs_blob()) plan.fetched.push_back({.part = part.folder, .kind = "layer", .from = {}, .ref = part.ref.blob});
    return {};
  }

  /// Whether the slot that a patch starts from has what it takes from there, as it was sealed.
  Result<void> has_all(Part& part) {
    BERTH_TRY(LinkPlan whole, part.whole.get());
    for (const bundle::Entry& entry : part.parts.base) {
      const bool read = part.needs_blob() && entry.type == bundle::EntryType::file;
      if (read && !std::ranges::binary_search(whole.links, entry.path, {}, &LinkPlan::Link::path)) return fail(Errc::conflict, entry.path + " is not as it was sealed");
    }
    BERTH_CHECK(links_beside(part.parts, part.index, std::move(whole)));
    return {};
  }

  /// From a slot that has the same layer.
  std::optional<std::string> index_here(const Part& part) const {
    for (const fs::path& slot : options_.sealed_slots) {
      auto text = files::read(slot / (part.folder + ".index.json"), part.ref.index.size);
      if (text && crypto::sha256_hex(*text) == part.ref.index.sha256) return std::move(*text);
    }
    return std::nullopt;
  }

  /// From there, out of a patch, or from the repository.
  Result<std::string> index_of(Part& part) {
    if (auto text = index_here(part)) return std::move(*text);
    if (part.patch) {
      auto text = index_by_patch(part);
      if (text) return text;
      BERTH_CHECK(give_up_patch(part, std::move(text.error())));
    }
    auto text = repository_.small_blob(part.ref.index, bundle::kLargestIndex, stop_);
    if (!text) return pass(std::move(text.error()), "its index");
    staged_.index_bytes += text->size();
    progress_.bytes_total += text->size();
    progress_.bytes_done += text->size();
    return text;
  }

  Result<std::string> index_by_patch(Part& part) {
    const PatchChoice& patch = *part.patch;
    BERTH_CHECK(require_space(patch.ref.blob.size + patch.old_index.size() + part.ref.index.size));
    BERTH_CHECK(fetch_patch(part));
    BERTH_TRY(std::string text, unpack_index(part.blob, patch, part.ref, folder_ / "index", options_, stop_));
    if (crypto::sha256_hex(text) == part.ref.index.sha256) return text;
    return fail(Errc::trust, "the index that it makes is not the one that is signed for");
  }

  Result<void> fetch_patch(Part& part) {
    if (!part.blob.empty()) return {};
    const bundle::PatchRef& patch = part.patch->ref;
    const fs::path blob = folder_ / (part.folder + ".patch");
    const std::uint64_t total = progress_.bytes_total, done = progress_.bytes_done;
    progress_.bytes_total = total + patch.blob.size;
    auto fetched = repository_.blob(patch.blob, patch.chunks, blob, progress_, stop_);
    if (!fetched) {
      progress_.bytes_total = total;
      progress_.bytes_done = done;
      // What came is not what was signed for: no lie of whoever signed, and the layer may be whole.
      if (fetched.error().code == Errc::trust) fetched.error().code = Errc::protocol;
      return fetched;
    }
    part.blob = blob;
    staged_.patch_bytes += patch.blob.size;
    return {};
  }

  /// The layer is taken instead, and what was the matter is noted. Unless that is for good: the node is to stop, or the patch is just what was signed and
  /// starts from just what it names, and yet makes something else: whoever signed it cannot be believed.
  Result<void> give_up_patch(Part& part, Error why) {
    const std::string name = "patch " + short_hash(part.patch->ref.blob.sha256);
    if (why.code == Errc::trust || why.code == Errc::cancelled) return pass(std::move(why), name);
    staged_.notes.push_back(fmt::format("the layer is fetched instead of the {} from {}: {}", name, part.patch->slot.filename().string(), why.message));
    part.whole = {};  // which waits for who reads the slot
    part.patch.reset();
    part.base = Fd();
    for (const char* left : {".patch", ".patch.part"})
      if (::unlink((folder_ / (part.folder + left)).c_str()) != 0 && errno != ENOENT) return fail_errno("remove a patch");
    part.blob.clear();
    return {};
  }

  Result<void> fetch(Part& part) {
    if (!part.needs_blob()) return {};
    if (part.patch) {
      auto ready = make_patch_ready(part);
      if (ready) return ready;
      return fetch_instead(part, std::move(ready.error()));
    }
    return fetch_layer(part);
  }

  Result<void> fetch_instead(Part& part, Error why) {
    BERTH_CHECK(give_up_patch(part, std::move(why)));
    BERTH_CHECK(plan(part));
    if (!part.needs_blob()) return {};
    BERTH_CHECK(require_space(part.space()));
    progress_.bytes_total += part.ref.blob.size;
    return fetch_layer(part);
  }

  Result<void> make_patch_ready(Part& part) {
    BERTH_CHECK(fetch_patch(part));
    BERTH_TRY(part.base, write_base(*part.patch, part.parts, folder_ / (part.folder + ".base"), stop_));
    return {};
  }

  Result<void> fetch_layer(Part& part) {
    const fs::path blob = folder_ / (part.folder + ".tar.zst");
    BERTH_CHECK(repository_.blob(part.ref.blob, part.index.chunks, blob, progress_, stop_));
    part.blob = blob;
    staged_.layer_bytes += part.ref.blob.size;
    return {};
  }

  Result<void> unpack(Part& part) {
    const fs::path target = folder_ / part.folder;
    if (part.patch) {
      auto made = make_by_patch(part, target);
      if (!made) {
        BERTH_CHECK(files::remove_tree(target));
        BERTH_CHECK(fetch_instead(part, std::move(made.error())));
      }
    }
    if (!part.patch) BERTH_CHECK(unpack_layer(part.index, part.needs_blob() ? part.blob : fs::path(), part.plan, target, options_, stop_));
    if (!part.blob.empty() && ::unlink(part.blob.c_str()) != 0) return fail_errno("remove " + part.blob.string());
    return {};
  }

  Result<void> make_by_patch(Part& part, const fs::path& target) {
    if (part.needs_blob()) BERTH_CHECK(run_script(part.blob, *part.patch, part.parts, part.base.get(), folder_ / "patching", options_, stop_));
    BERTH_TRY(LinkPlan whole, part.whole.get());
    BERTH_TRY(part.plan, links_beside(part.parts, part.index, std::move(whole)));
    BERTH_CHECK(make_patched(part.index, part.parts, part.base.get(), part.plan, target, stop_));
    part.base = Fd();
    if (part.needs_blob()) staged_.patched_from = part.patch->slot.filename();
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

std::string name_of(const Resolved& release) {
  const bundle::Manifest& manifest = release.manifest;
  return to_string(ReleaseRef{.app = manifest.app, .environment = manifest.environment, .release = manifest.release});
}

}  // namespace

Result<Staged> stage(Repository& repository, const Resolved& release, const fs::path& staging, const StageOptions& options, Progress& progress,
                     const std::function<void(StagePhase)>& phase, std::stop_token stop) {
  auto staged = Staging(repository, release, staging, options, progress, std::move(stop)).run(phase);
  if (staged) return staged;
  return pass(std::move(staged.error()), name_of(release));
}

Result<void> stage_config(Repository& repository, const Resolved& release, const fs::path& folder, const StageOptions& options, std::stop_token stop) {
  Progress progress;
  auto done = Staging(repository, release, folder, options, progress, std::move(stop)).run_config();
  if (done) return done;
  return pass(std::move(done.error()), name_of(release));
}

Result<StagePlan> plan_stage(Repository& repository, const Resolved& release, const fs::path& folder, const StageOptions& options, std::stop_token stop) {
  Progress progress;
  auto plan = Staging(repository, release, folder, options, progress, std::move(stop)).foresee();
  if (plan && plan->refused) plan->refused->message = name_of(release) + ": " + plan->refused->message;
  if (plan) return plan;
  return pass(std::move(plan.error()), name_of(release));
}

}  // namespace berth::fetch
