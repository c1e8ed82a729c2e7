/** People who sign in to the dashboard. */
import { Email, Role, User } from "@modelforge/core/model"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import {
  EmailTakenProblem,
  LastAdminProblem,
  PasswordRefusedProblem,
  UserNotFoundProblem,
} from "./AccessProblems.ts"
import { Page, pageQuery } from "./Page.ts"
import { Permitted } from "./Permitted.ts"
import { UnavailableProblem } from "./Problems.ts"
import { RequestTimeoutProblem } from "./ProtectionProblems.ts"

/** A user as `/v1` shows it: never with a password. */
export const UserResource = Schema.Struct(User.fields)
export type UserResource = typeof UserResource.Type

/** 12 to 256 characters, none that is easily guessed. */
const Password = Schema.RedactedFromValue(Schema.String.check(Schema.isMaxLength(1024)))

export const NewUser = Schema.Struct({
  email: Email,
  name: User.fields.name,
  role: Role,
  password: Password,
})

export const UserChanges = Schema.Struct({
  name: Schema.optionalKey(User.fields.name),
  role: Schema.optionalKey(Role),
  disabled: Schema.optionalKey(Schema.Boolean),
  password: Schema.optionalKey(Password),
})

/** What is not named is refused, so that nobody believes in a setting that is not there. */
const strict = { onExcessProperty: "error" } as const

const params = { user: Schema.String }

export class UsersApi extends HttpApiGroup.make("users")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewUser,
      success: UserResource.pipe(HttpApiSchema.status(201)),
      error: [EmailTakenProblem, PasswordRefusedProblem, RequestTimeoutProblem, UnavailableProblem],
    })
      .annotate(Permitted, "admin")
      .annotate(HttpApi.PayloadParseOptions, strict)
      .annotate(OpenApi.Summary, "Create a user")
      .annotate(OpenApi.Description, "With the first user the server asks for a key or a user's token."),
    HttpApiEndpoint.get("list", "/", {
      query: pageQuery,
      success: Page(UserResource),
      error: UnavailableProblem,
    })
      .annotate(Permitted, "admin")
      .annotate(OpenApi.Summary, "List users by email"),
    HttpApiEndpoint.get("get", "/:user", {
      params,
      success: UserResource,
      error: [UserNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "admin")
      .annotate(OpenApi.Summary, "Get a user"),
    HttpApiEndpoint.patch("update", "/:user", {
      params,
      payload: UserChanges,
      success: UserResource,
      error: [
        UserNotFoundProblem,
        LastAdminProblem,
        PasswordRefusedProblem,
        RequestTimeoutProblem,
        UnavailableProblem,
      ],
    })
      .annotate(Permitted, "admin")
      .annotate(HttpApi.PayloadParseOptions, strict)
      .annotate(OpenApi.Summary, "Change a user's name, role or password, or disable them")
      .annotate(
        OpenApi.Description,
        "Another role or password, disabling and enabling end the user's sessions. The last admin who is not disabled " +
          "stays one.",
      ),
    HttpApiEndpoint.delete("remove", "/:user", {
      params,
      success: HttpApiSchema.NoContent,
      error: [UserNotFoundProblem, LastAdminProblem, UnavailableProblem],
    })
      .annotate(Permitted, "admin")
      .annotate(OpenApi.Summary, "Delete a user"),
    HttpApiEndpoint.delete("endSessions", "/:user/sessions", {
      params,
      success: HttpApiSchema.NoContent,
      error: [UserNotFoundProblem, UnavailableProblem],
    })
      .annotate(Permitted, "admin")
      .annotate(OpenApi.Summary, "End all sessions of a user"),
  )
  .prefix("/v1/users")
  .annotateMerge(OpenApi.annotations({ title: "Users" })) {}
