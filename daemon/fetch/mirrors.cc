#include "daemon/fetch/mirrors.h"

#include <fmt/core.h>

namespace berth::fetch {
namespace {

/// A mirror may be behind, or damaged; what is wrong with the node itself is so everywhere.
bool may_be_better_elsewhere(const Error& error) {
  return is_passing(error) || error.code == Errc::not_found || is_wrong_there(error);
}

class MirroredRemote : public trust::Remote {
 public:
  MirroredRemote(Mirrors& mirrors, std::vector<std::unique_ptr<trust::Remote>> remotes) : mirrors_(mirrors), remotes_(std::move(remotes)) {}

  Result<std::string> get(std::string_view path, std::uint64_t most) override {
    const std::size_t first = mirrors_.present();
    for (std::size_t tries = 1;; ++tries) {
      const std::size_t which = (first + tries - 1) % remotes_.size();
      auto bytes = remotes_[which]->get(path, most);
      if (bytes || !is_passing(bytes.error())) return bytes;
      mirrors_.pass_over(which, bytes.error());
      if (tries >= remotes_.size()) return bytes;
    }
  }

 private:
  Mirrors& mirrors_;
  std::vector<std::unique_ptr<trust::Remote>> remotes_;
};

class MirroredSource : public BlobSource {
 public:
  MirroredSource(Mirrors& mirrors, std::vector<std::unique_ptr<BlobSource>> sources) : mirrors_(mirrors), sources_(std::move(sources)) {}

  Result<void> read(const std::string& path, std::uint64_t from, std::uint64_t most, const Sink& sink, std::stop_token stop) override {
    const std::size_t first = mirrors_.present();
    bool refused = false;  // by whoever takes it: it was wrong
    const Sink counted = [&](std::string_view bytes) {
      auto taken = sink(bytes);
      refused = !taken;
      from += bytes.size();
      most -= bytes.size();
      return taken;
    };
    for (std::size_t tries = 1;; ++tries) {
      const std::size_t which = (first + tries - 1) % sources_.size();
      auto done = sources_[which]->read(path, from, most, counted, stop);
      if (done && most == 0) return done;
      if (!done && !may_be_better_elsewhere(done.error())) return done;
      const Error why = done ? Error{Errc::trust, fmt::format("{} is {} bytes short there", path, most)} : done.error();
      mirrors_.pass_over(which, why);
      if (refused || tries >= sources_.size()) return done;
    }
  }

 private:
  Mirrors& mirrors_;
  std::vector<std::unique_ptr<BlobSource>> sources_;
};

}  // namespace

std::size_t Mirrors::present(Clock::time_point now) {
  const std::lock_guard guard(mutex_);
  if (present_ != 0 && now - since_ >= kReturn) present_ = 0;
  return present_;
}

void Mirrors::pass_over(std::size_t which, const Error& why, Clock::time_point now) {
  if (urls_.size() < 2) return;
  std::size_t next = 0;
  {
    const std::lock_guard guard(mutex_);
    if (present_ != which) return;
    next = present_ = (which + 1) % urls_.size();
    since_ = now;
  }
  if (note_) note_(fmt::format("{} is passed over, {} is asked instead: {}", urls_[which], urls_[next], why.message));
}

bool is_wrong_there(const Error& error) { return error.code == Errc::trust || error.code == Errc::protocol; }

Error wrong_everywhere(Error error, const std::string& first, std::size_t places) {
  error.message += fmt::format(" (so at {}; {} places were tried, and none is right)", first, places);
  return error;
}

std::unique_ptr<trust::Remote> mirrored(Mirrors& mirrors, std::vector<std::unique_ptr<trust::Remote>> remotes) {
  if (remotes.size() == 1) return std::move(remotes.front());
  return std::make_unique<MirroredRemote>(mirrors, std::move(remotes));
}

std::unique_ptr<BlobSource> mirrored(Mirrors& mirrors, std::vector<std::unique_ptr<BlobSource>> sources) {
  if (sources.size() == 1) return std::move(sources.front());
  return std::make_unique<MirroredSource>(mirrors, std::move(sources));
}

}  // namespace berth::fetch
