#pragma once

#include <memory>
#include <string>

#include "core/io/loop.h"
#include "daemon/api/api.h"
#include "daemon/secrets/reference.h"

namespace berth {

using boost::asio::awaitable;

/// The token that the metrics listener wants to be shown: looked up when it is first asked for, and again where its file is another one, or after `look_again`.
/// What cannot be read, or is none, changes nothing, and is told.
class MetricsToken {
 public:
  /// `reference`: empty where none is wanted. `pool` outlives it.
  MetricsToken(io::Loop& loop, io::Pool& pool, std::string reference, secrets::Sources sources)
      : pool_(pool), reference_(std::move(reference)), sources_(std::move(sources)), looked_(loop.executor()) {}

  /// Null where none is wanted. Fails while none could be read yet.
  awaitable<Result<api::Token>> get();
  /// Has the next `get` look it up in any case, as after a reload.
  void look_again() { is_known_ = false; }
  /// Why there is none, or why the one that is there now does not count; empty: nothing is wrong.
  const std::string& problem() const { return problem_; }

 private:
  bool has_changed(const std::string& stamp) const;
  awaitable<void> look_up(std::string stamp);

  io::Pool& pool_;
  std::string reference_;
  secrets::Sources sources_;
  api::Token token_;
  bool is_known_ = false;
  std::string stamp_;  ///< of its file as it was read last
  io::Steady::time_point tried_;
  std::string problem_;
  std::shared_ptr<bool> is_looking_ = std::make_shared<bool>(false);
  io::Event looked_;  ///< it did
};

/// What is wrong with a value as a token: it has to fit a header as it stands (RFC 6750, 2.1). Fails with `Errc::usage`.
Result<void> check_token(std::string_view value);

}  // namespace berth
