#include "core/publish/build_store.h"

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>
#include <sys/file.h>

#include <fmt/core.h>

#include "core/publish/hash_file.h"

namespace berth::publish {
namespace {

constexpr std::size_t kMostRecord = 4u << 20;
constexpr std::size_t kLeastDigits = 8;
constexpr const char* kWorkshop = ".making-";

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return ('0' <= c && c <= '9') || ('a' <= c && c <= 'f'); });
}

bool is_digest(std::string_view text) { return text.size() == 64 && is_hex(text); }

/// The names in a folder; none where there is no such folder.
Result<std::vector<std::string>> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) names.push_back(it->path().filename());
  if (error && error != std::errc::no_such_file_or_directory) return fail_errno("list " + folder.string(), error.value());
  return names;
}

/// Removes what crashed builds left. Whoever is at work holds the lock of its folder.
Result<void> sweep(const fs::path& folder) {
  BERTH_TRY(const auto names, names_in(folder));
  for (const std::string& name : names) {
    if (!name.starts_with(kWorkshop)) continue;
    const auto left = files::open(folder / name, O_RDONLY | O_DIRECTORY);
    if (left && ::flock(left->get(), LOCK_EX | LOCK_NB) == 0) BERTH_CHECK(files::remove_tree(folder / name));
  }
  return {};
}

bool is_whole(const fs::path& layer, const Build& build) {
  const auto hash = hash_file(layer);
  return hash && hash->sha256 == build.ref.layer.blob.sha256;
}

}  // namespace

Workshop::~Workshop() {
  if (lock_) std::ignore = files::remove_tree(folder_);
}

Result<BuildStore> BuildStore::of_user() {
  const auto folder_in = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value == nullptr ? "" : value);
  };
  // The XDG base directory specification: a relative value is to be passed over.
  if (const fs::path data = folder_in("XDG_DATA_HOME"); data.is_absolute()) return BuildStore(data / "berth");
  if (const fs::path home = folder_in("HOME"); home.is_absolute()) return BuildStore(home / ".local/share/berth");
  return fail(Errc::usage, "where are builds kept? Set HOME or XDG_DATA_HOME to an absolute path");
}

Result<Workshop> BuildStore::open_workshop() const {
  if (const auto made = files::make_directories(folder_ / "builds"); !made)
    return fail(made.error().code, fmt::format("builds are kept in {}, which cannot be made ({}): name another place by $XDG_DATA_HOME or $HOME",
                                               folder_.string(), made.error().message));
  BERTH_CHECK(files::make_directories(folder_ / "latest"));
  // Held only while workshops are swept and made, so that none is swept before it has its own lock.
  BERTH_TRY(const Fd store, files::open(folder_ / ".lock", O_RDWR | O_CREAT, 0600));
  if (::flock(store.get(), LOCK_EX) != 0) return fail_errno("lock " + folder_.string());
  BERTH_CHECK(sweep(folder_));
  std::string folder = (folder_ / (std::string(kWorkshop) + "XXXXXX")).string();
  if (::mkdtemp(folder.data()) == nullptr) return fail_errno("make a folder in " + folder_.string());
  BERTH_TRY(Fd lock, files::open(folder, O_RDONLY | O_DIRECTORY));
  if (::flock(lock.get(), LOCK_EX) != 0) return fail_errno("lock " + folder);
  Workshop workshop(folder, std::move(lock));
  BERTH_CHECK(files::make_directories(workshop.build()));
  return workshop;
}

Result<Build> BuildStore::add(Build build, const std::string& index, const Workshop& workshop) const {
  const std::string digest = build.ref.digest;
  const fs::path folder = build_folder(digest);
  BERTH_TRY(const Fd store, files::open(folder_ / ".lock", O_RDWR | O_CREAT, 0600));
  if (::flock(store.get(), LOCK_EX) != 0) return fail_errno("lock " + folder_.string());

  const auto kept = read(digest);
  if (kept && kept->platform != build.platform)
    return fail(Errc::conflict, fmt::format("build {} is in {} already, for {}: the same files cannot be a build for {} too; where that one was made so by mistake, "
                                            "remove {} first", short_digest(digest), folder_.string(), kept->platform, build.platform, folder.string()));
  if (kept && is_whole(layer_of(digest), *kept)) {
    build.ref.layer = kept->ref.layer;
    BERTH_CHECK(files::replace(folder / "build.json", to_canonical_json(build)));
  } else {
    BERTH_CHECK(files::remove_tree(folder));
    BERTH_CHECK(files::sync(workshop.layer()));
    BERTH_CHECK(files::replace(workshop.build() / "index.json", index));
    BERTH_CHECK(files::replace(workshop.build() / "build.json", to_canonical_json(build)));
    BERTH_CHECK(files::rename_durably(workshop.build(), folder));
  }
  BERTH_CHECK(files::swap_symlink(folder_ / "latest" / build.spec.app, "../builds/" + digest));
  return build;
}

Result<Build> BuildStore::read(const std::string& digest) const {
  const fs::path file = build_folder(digest) / "build.json";
  BERTH_TRY(const std::string text, files::read(file, kMostRecord));
  BERTH_TRY(Build build, parse_build(text, file.string()));
  if (build.ref.digest != digest) return fail(Errc::trust, fmt::format("{}: is of another build, {}", file.string(), build.ref.digest));
  return build;
}

Result<Build> BuildStore::latest(const std::string& app) const {
  std::error_code error;
  const fs::path target = fs::read_symlink(folder_ / "latest" / app, error);
  const std::string digest = target.filename();
  if (error || !is_digest(digest))
    return fail(Errc::not_found, fmt::format("{}: there is no build of it in {}; make one: berth build SOURCE", app, folder_.string()));
  BERTH_TRY(Build build, read(digest));
  if (build.spec.app != app) return fail(Errc::trust, fmt::format("{}: is a build of {}", (folder_ / "latest" / app).string(), build.spec.app));
  return build;
}

Result<std::vector<std::string>> BuildStore::digests() const {
  BERTH_TRY(auto names, names_in(folder_ / "builds"));
  std::erase_if(names, [](const std::string& name) { return !is_digest(name); });
  std::ranges::sort(names);
  return names;
}

Result<Build> BuildStore::find(const std::string& digest) const {
  if (digest.size() < kLeastDigits || digest.size() > 64 || !is_hex(digest))
    return fail(Errc::usage, fmt::format("'{}' is no build's digest: {} to 64 digits of 0-9a-f", digest, kLeastDigits));
  BERTH_TRY(auto all, digests());
  std::erase_if(all, [&](const std::string& name) { return !name.starts_with(digest); });
  if (all.empty()) return fail(Errc::not_found, fmt::format("no build {} in {}; 'berth builds' lists what is there", digest, folder_.string()));
  if (all.size() > 1) return fail(Errc::usage, fmt::format("'{}' begins {} digests; write more of it", digest, all.size()));
  return read(all.front());
}

Result<std::vector<Build>> BuildStore::list(std::vector<Error>* passed_over) const {
  BERTH_TRY(const auto all, digests());
  std::vector<Build> builds;
  for (const std::string& digest : all) {
    auto build = read(digest);
    if (build) {
      builds.push_back(std::move(*build));
    } else if (passed_over != nullptr) {
      passed_over->push_back(build.error());
    }
  }
  std::ranges::stable_sort(builds, std::ranges::greater{}, &Build::created);
  return builds;
}

}  // namespace berth::publish
