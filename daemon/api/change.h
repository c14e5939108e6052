#pragma once

#include <cstdint>
#include <string>

#include <boost/json/object.hpp>

#include "daemon/api/call.h"
#include "daemon/api/routes.h"

namespace berth::api {

/// A change of an app, or of the node, that is about to be made; afterwards it is known whether something changed, which the event in the history tells.
class Change {
 public:
  /// `kind`: of the event that the change leaves where it changes something, such as "operator.hold". `app`: empty for the node.
  Change(Call& call, std::string kind, std::string app = {})
      : call_(call), kind_(std::move(kind)), app_(std::move(app)), first_(call.node.last_event() + 1) {}

  /// The answer: `what`, the app, whether something changed, and the number of the event that tells of it. `call` is to be there still.
  awaitable<Answer> answer(Result<void> made, boost::json::object what) const;

 private:
  Call& call_;
  std::string kind_, app_;
  std::int64_t first_;  ///< events of the change have this number, or a higher one
};

}  // namespace berth::api
