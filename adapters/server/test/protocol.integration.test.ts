import { Effect } from "effect"
import { protocolSuite } from "../../../packages/http/test/protocol/protocolSuite.ts"
import { startServer } from "./TestServer.ts"

protocolSuite("the standalone server", (settings) => Effect.orDie(startServer({}, settings)))
