#pragma once

#include <boost/asio/any_io_executor.hpp>

#include "core/io/loop.h"
#include "daemon/deploy/deployer.h"

namespace berth::deploy {

/// What the engine works with.
struct Parts {
  boost::asio::any_io_executor executor;
  io::Pool& pool;
  io::Pool& idle;  ///< for what is in no hurry
  store::Store& store;
  supervise::Supervisor& supervisor;
  route::Router& router;
  fetch::Repository* repository;  ///< may be null
  DeployerOptions options;
};

}  // namespace berth::deploy
