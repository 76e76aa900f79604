"""SES (version 2) by its own names: its operations, and what they take."""

from collections.abc import Mapping

from msgsim.service.operation import Operation
from msgsim.service.parameters import ANY_TEXT, BYTES, FLAG, TEXT, WHOLE, ListOf, Shape, Structure
from msgsim.service.ses_accounts import get_account, put_account_sending_attributes
from msgsim.service.ses_identities import (
    create_email_identity,
    delete_email_identity,
    get_email_identity,
    list_email_identities,
    put_email_identity_configuration_set_attributes,
    put_email_identity_dkim_attributes,
    put_email_identity_dkim_signing_attributes,
    put_email_identity_feedback_attributes,
    put_email_identity_mail_from_attributes,
)
from msgsim.service.ses_refusals import SES
from msgsim.service.ses_sending import send_bulk_email, send_email
from msgsim.service.ses_sets import (
    create_configuration_set,
    create_event_destination,
    delete_configuration_set,
    delete_event_destination,
    get_configuration_set,
    get_event_destinations,
    list_configuration_sets,
    put_configuration_set_delivery_options,
    put_configuration_set_reputation_options,
    put_configuration_set_sending_options,
    put_configuration_set_suppression_options,
    update_event_destination,
)
from msgsim.service.ses_suppression import (
    delete_suppressed_destination,
    get_suppressed_destination,
    list_suppressed_destinations,
    put_account_suppression_attributes,
    put_suppressed_destination,
)
from msgsim.service.ses_templates import (
    create_email_template,
    delete_email_template,
    get_email_template,
    list_email_templates,
    test_render_email_template,
    update_email_template,
)
from msgsim.service.ses_tenants import (
    create_tenant,
    create_tenant_resource_association,
    delete_tenant,
    delete_tenant_resource_association,
    get_reputation_entity,
    get_tenant,
    list_tenant_resources,
    list_tenants,
    put_tenant_suppression_attributes,
    update_reputation_entity_customer_managed_status,
    update_reputation_entity_policy,
)

TEXTS = ListOf(TEXT)
PAGES: Mapping[str, Shape] = {"NextToken": TEXT, "PageSize": WHOLE}
PAIRS = ListOf(Structure({"Name": TEXT, "Value": TEXT}))
"""Tags or headers."""

_DATA = Structure({"Data": ANY_TEXT}, {"Charset": TEXT})
"""A text; its charset is of no consequence where nothing is encoded."""

_EXTRAS: Mapping[str, Shape] = {
    "Attachments": ListOf(
        Structure(
            {"FileName": TEXT, "RawContent": BYTES},
            {
                "ContentDescription": TEXT,
                "ContentDisposition": TEXT,
                "ContentId": TEXT,
                "ContentTransferEncoding": TEXT,
                "ContentType": TEXT,
            },
        )
    ),
    "Headers": PAIRS,
}
_TEMPLATE_TEXTS = Structure({}, {"Html": TEXT, "Subject": TEXT, "Text": TEXT})
_TEMPLATE = Structure({}, {"TemplateContent": _TEMPLATE_TEXTS, "TemplateData": TEXT, "TemplateName": TEXT, **_EXTRAS})
_DESTINATION = Structure({}, {"ToAddresses": TEXTS, "CcAddresses": TEXTS, "BccAddresses": TEXTS})
_SENDING: Mapping[str, Shape] = {
    "ConfigurationSetName": TEXT,
    "FeedbackForwardingEmailAddress": TEXT,
    "ReplyToAddresses": TEXTS,
    "TenantName": TEXT,
}

_SET: Mapping[str, Shape] = {"ConfigurationSetName": TEXT}
_DELIVERY: Mapping[str, Shape] = {"MaxDeliverySeconds": WHOLE, "SendingPoolName": TEXT, "TlsPolicy": TEXT}
_EVENT_DESTINATION = Structure(
    {"MatchingEventTypes": TEXTS, "SnsDestination": Structure({"TopicArn": TEXT})}, {"Enabled": FLAG}
)
_IDENTITY: Mapping[str, Shape] = {"EmailIdentity": TEXT}
_SIGNING = Structure({}, {"DomainSigningPrivateKey": TEXT, "DomainSigningSelector": TEXT, "NextSigningKeyLength": TEXT})
_TAGS = ListOf(Structure({"Key": TEXT, "Value": TEXT}))
_TENANT: Mapping[str, Shape] = {"TenantName": TEXT}
_RESOURCE: Mapping[str, Shape] = {**_TENANT, "ResourceArn": TEXT}
_SUPPRESSION: Mapping[str, Shape] = {"SuppressedReasons": TEXTS, "SuppressionScope": TEXT}
_ENTITY: Mapping[str, Shape] = {"ReputationEntityReference": TEXT, "ReputationEntityType": TEXT}
_DESTINATION_OF: Mapping[str, Shape] = {**_SET, "EventDestinationName": TEXT}
_ADDRESS: Mapping[str, Shape] = {"EmailAddress": TEXT}

OPERATIONS: Mapping[str, Operation] = {
    "CreateConfigurationSet": Operation(
        SES,
        create_configuration_set,
        Structure(
            _SET,
            {
                "DeliveryOptions": Structure({}, _DELIVERY),
                "ReputationOptions": Structure({}, {"ReputationMetricsEnabled": FLAG}),
                "SendingOptions": Structure({}, {"SendingEnabled": FLAG}),
                "SuppressionOptions": Structure({}, {"SuppressedReasons": TEXTS}),
            },
        ),
    ),
    "CreateConfigurationSetEventDestination": Operation(
        SES,
        create_event_destination,
        Structure({**_DESTINATION_OF, "EventDestination": _EVENT_DESTINATION}),
    ),
    "CreateEmailIdentity": Operation(
        SES,
        create_email_identity,
        Structure(
            _IDENTITY,
            {"ConfigurationSetName": TEXT, "DkimSigningAttributes": _SIGNING, "Tags": _TAGS},
        ),
    ),
    "CreateEmailTemplate": Operation(
        SES, create_email_template, Structure({"TemplateName": TEXT, "TemplateContent": _TEMPLATE_TEXTS})
    ),
    "CreateTenant": Operation(
        SES, create_tenant, Structure(_TENANT, {"SuppressionAttributes": Structure({}, _SUPPRESSION), "Tags": _TAGS})
    ),
    "CreateTenantResourceAssociation": Operation(SES, create_tenant_resource_association, Structure(_RESOURCE)),
    "DeleteConfigurationSet": Operation(SES, delete_configuration_set, Structure(_SET)),
    "DeleteConfigurationSetEventDestination": Operation(SES, delete_event_destination, Structure(_DESTINATION_OF)),
    "DeleteEmailIdentity": Operation(SES, delete_email_identity, Structure(_IDENTITY)),
    "DeleteEmailTemplate": Operation(SES, delete_email_template, Structure({"TemplateName": TEXT})),
    "DeleteSuppressedDestination": Operation(SES, delete_suppressed_destination, Structure(_ADDRESS, _TENANT)),
    "DeleteTenant": Operation(SES, delete_tenant, Structure(_TENANT)),
    "DeleteTenantResourceAssociation": Operation(SES, delete_tenant_resource_association, Structure(_RESOURCE)),
    "GetAccount": Operation(SES, get_account, Structure({})),
    "GetConfigurationSet": Operation(SES, get_configuration_set, Structure(_SET)),
    "GetConfigurationSetEventDestinations": Operation(SES, get_event_destinations, Structure(_SET)),
    "GetEmailIdentity": Operation(SES, get_email_identity, Structure(_IDENTITY)),
    "GetEmailTemplate": Operation(SES, get_email_template, Structure({"TemplateName": TEXT})),
    "GetReputationEntity": Operation(SES, get_reputation_entity, Structure(_ENTITY)),
    "GetSuppressedDestination": Operation(SES, get_suppressed_destination, Structure(_ADDRESS, _TENANT)),
    "GetTenant": Operation(SES, get_tenant, Structure(_TENANT)),
    "ListConfigurationSets": Operation(SES, list_configuration_sets, Structure({}, PAGES)),
    "ListEmailIdentities": Operation(SES, list_email_identities, Structure({}, PAGES)),
    "ListEmailTemplates": Operation(SES, list_email_templates, Structure({}, PAGES)),
    "ListSuppressedDestinations": Operation(
        SES, list_suppressed_destinations, Structure({}, {"Reasons": TEXTS, **_TENANT, **PAGES})
    ),
    "ListTenantResources": Operation(SES, list_tenant_resources, Structure(_TENANT, PAGES)),
    "ListTenants": Operation(SES, list_tenants, Structure({}, PAGES)),
    "PutAccountSendingAttributes": Operation(
        SES, put_account_sending_attributes, Structure({}, {"SendingEnabled": FLAG})
    ),
    "PutAccountSuppressionAttributes": Operation(
        SES, put_account_suppression_attributes, Structure({}, {"SuppressedReasons": TEXTS})
    ),
    "PutConfigurationSetDeliveryOptions": Operation(
        SES, put_configuration_set_delivery_options, Structure(_SET, _DELIVERY)
    ),
    "PutConfigurationSetReputationOptions": Operation(
        SES, put_configuration_set_reputation_options, Structure(_SET, {"ReputationMetricsEnabled": FLAG})
    ),
    "PutConfigurationSetSendingOptions": Operation(
        SES, put_configuration_set_sending_options, Structure(_SET, {"SendingEnabled": FLAG})
    ),
    "PutConfigurationSetSuppressionOptions": Operation(
        SES, put_configuration_set_suppression_options, Structure(_SET, {"SuppressedReasons": TEXTS})
    ),
    "PutEmailIdentityConfigurationSetAttributes": Operation(
        SES, put_email_identity_configuration_set_attributes, Structure(_IDENTITY, {"ConfigurationSetName": TEXT})
    ),
    "PutEmailIdentityDkimAttributes": Operation(
        SES, put_email_identity_dkim_attributes, Structure(_IDENTITY, {"SigningEnabled": FLAG})
    ),
    "PutEmailIdentityDkimSigningAttributes": Operation(
        SES,
        put_email_identity_dkim_signing_attributes,
        Structure({**_IDENTITY, "SigningAttributesOrigin": TEXT}, {"SigningAttributes": _SIGNING}),
    ),
    "PutEmailIdentityFeedbackAttributes": Operation(
        SES, put_email_identity_feedback_attributes, Structure(_IDENTITY, {"EmailForwardingEnabled": FLAG})
    ),
    "PutEmailIdentityMailFromAttributes": Operation(
        SES,
        put_email_identity_mail_from_attributes,
        Structure(_IDENTITY, {"BehaviorOnMxFailure": TEXT, "MailFromDomain": TEXT}),
    ),
    "PutSuppressedDestination": Operation(
        SES, put_suppressed_destination, Structure({**_ADDRESS, "Reason": TEXT}, _TENANT)
    ),
    "PutTenantSuppressionAttributes": Operation(
        SES, put_tenant_suppression_attributes, Structure(_TENANT, _SUPPRESSION)
    ),
    "SendBulkEmail": Operation(
        SES,
        send_bulk_email,
        Structure(
            {
                "FromEmailAddress": TEXT,
                "DefaultContent": Structure({"Template": _TEMPLATE}),
                "BulkEmailEntries": ListOf(
                    Structure(
                        {"Destination": _DESTINATION},
                        {
                            "ReplacementEmailContent": Structure(
                                {}, {"ReplacementTemplate": Structure({}, {"ReplacementTemplateData": TEXT})}
                            ),
                            "ReplacementHeaders": PAIRS,
                            "ReplacementTags": PAIRS,
                        },
                    )
                ),
            },
            {"DefaultEmailTags": PAIRS, **_SENDING},
        ),
    ),
    "SendEmail": Operation(
        SES,
        send_email,
        Structure(
            {
                "Content": Structure(
                    {},
                    {
                        "Raw": Structure({"Data": BYTES}),
                        "Simple": Structure(
                            {"Subject": _DATA, "Body": Structure({}, {"Text": _DATA, "Html": _DATA})}, _EXTRAS
                        ),
                        "Template": _TEMPLATE,
                    },
                )
            },
            {
                "Destination": _DESTINATION,
                "EmailTags": PAIRS,
                "FromEmailAddress": TEXT,
                "ListManagementOptions": Structure({"ContactListName": TEXT}, {"TopicName": TEXT}),
                **_SENDING,
            },
        ),
    ),
    "TestRenderEmailTemplate": Operation(
        SES, test_render_email_template, Structure({"TemplateName": TEXT, "TemplateData": TEXT})
    ),
    "UpdateConfigurationSetEventDestination": Operation(
        SES, update_event_destination, Structure({**_DESTINATION_OF, "EventDestination": _EVENT_DESTINATION})
    ),
    "UpdateEmailTemplate": Operation(
        SES, update_email_template, Structure({"TemplateName": TEXT, "TemplateContent": _TEMPLATE_TEXTS})
    ),
    "UpdateReputationEntityCustomerManagedStatus": Operation(
        SES, update_reputation_entity_customer_managed_status, Structure({**_ENTITY, "SendingStatus": TEXT})
    ),
    "UpdateReputationEntityPolicy": Operation(
        SES, update_reputation_entity_policy, Structure({**_ENTITY, "ReputationEntityPolicy": TEXT})
    ),
}
"""The operations by name."""
