#include "daemon/fetch/blob_fetch.h"

#include <functional>
#include <set>

#include <fmt/core.h>
#include <unistd.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "daemon/fetch/chunked_file.h"

namespace berth::fetch {
namespace {

std::string name_of(const bundle::BlobRef& ref) { return "blob " + short_hash(ref.sha256); }

std::unexpected<Error> fail_short(const bundle::BlobRef& ref, std::uint64_t position) {
  return fail(Errc::trust, fmt::format("is {} bytes short of {} (repository truncated it?)", ref.size - position, ref.size));
}

/// Reads from `position()` on until `ref.size`, and tries again what may pass. `sink` says what is wrong with what came; `forgives` is asked then
/// whether to go on.
struct Transfer {
  BlobSource& source;
  const bundle::BlobRef& ref;
  const Retries& retries;
  std::function<std::uint64_t()> position;
  Sink sink;
  std::function<bool()> forgives;

  Result<void> run(const std::stop_token& stop) const {
    int failures = 0;
    std::uint64_t mark = position();
    for (int tries = 1; position() < ref.size; ++tries) {
      const std::uint64_t before = position();
      bool damaged = false;
      const Sink take = [&](std::string_view bytes) {
        auto taken = sink(bytes);
        damaged = !taken;
        return taken;
      };
      auto done = source.read(bundle::blob_path(ref.sha256), before, ref.size - before, take, stop);
      if (position() == ref.size) return {};  // whatever came after the last byte
      if (done) return fail_short(ref, position());
      if (damaged && done.error().code == Errc::trust && forgives()) continue;
      if (damaged || !is_passing(done.error())) return done;
      if (position() >= mark + retries.much) {
        failures = 0;
        mark = position();
      }
      if (++failures >= retries.in_a_row) return give_up(std::move(done.error()), tries);
      BERTH_CHECK(wait_before_retry(retries, failures, stop));
    }
    return {};
  }

  std::unexpected<Error> give_up(Error error, int tries) const {
    error.message += fmt::format(" (tried {} times, {} of {} bytes came)", tries, position(), ref.size);
    return std::unexpected(std::move(error));
  }
};

}  // namespace

Result<void> fetch_blob(BlobSource& source, const bundle::BlobRef& ref, const std::vector<std::string>& chunks, const std::filesystem::path& file,
                        Progress& progress, std::stop_token stop, const Retries& retries, std::filesystem::path part) {
  if (part.empty()) part = file.string() + ".part";
  BERTH_TRY(ChunkedFile target, ChunkedFile::open(part, ref, chunks));
  const std::uint64_t done_before = progress.bytes_done;
  progress.bytes_done = done_before + target.position();
  std::set<std::uint64_t> refetched;
  const Transfer transfer{.source = source,
                          .ref = ref,
                          .retries = retries,
                          .position = [&] { return target.position(); },
                          .sink = [&](std::string_view bytes) {
                            auto taken = target.take(bytes);
                            progress.bytes_done = done_before + target.position();
                            return taken;
                          },
                          .forgives = [&] { return refetched.insert(target.wrong_at()).second; }};
  if (auto done = transfer.run(stop); !done) return pass(std::move(done.error()), name_of(ref));
  if (auto whole = target.check_whole(); !whole) {
    ::unlink(part.c_str());  // each part of it is as it has to be: no other would come
    return pass(std::move(whole.error()), name_of(ref));
  }
  if (::rename(part.c_str(), file.c_str()) != 0) return fail_errno(fmt::format("rename {} to {}", part.string(), file.string()));
  return {};
}

Result<std::string> fetch_small_blob(BlobSource& source, const bundle::BlobRef& ref, std::uint64_t most, std::stop_token stop, const Retries& retries) {
  if (ref.size > most)
    return fail(Errc::protocol, fmt::format("{}: has {} bytes; {} are allowed at most", name_of(ref), ref.size, most));
  std::string text;
  int again = 1;
  const Transfer transfer{.source = source,
                          .ref = ref,
                          .retries = retries,
                          .position = [&] { return text.size(); },
                          .sink = [&](std::string_view bytes) -> Result<void> {
                            if (bytes.size() > ref.size - text.size()) return fail(Errc::protocol, "more came than was asked for");
                            text += bytes;
                            if (text.size() < ref.size || crypto::sha256_hex(text) == ref.sha256) return {};
                            text.clear();
                            return fail(Errc::trust, "is not what was signed for (SHA-256 differs; damaged on the server or on the way?)");
                          },
                          .forgives = [&] { return again-- > 0; }};
  if (auto done = transfer.run(stop); !done) return pass(std::move(done.error()), name_of(ref));
  if (ref.size == 0 && ref.sha256 != crypto::sha256_hex("")) return fail(Errc::trust, name_of(ref) + ": is empty, which its hash is not of");
  return text;
}

}  // namespace berth::fetch
