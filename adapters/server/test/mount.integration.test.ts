import { Effect } from "effect"
import { mountSuite } from "../../../packages/http/test/mountSuite.ts"
import { startServer } from "./TestServer.ts"

mountSuite("the standalone server", (settings) => Effect.orDie(startServer({}, settings)))
